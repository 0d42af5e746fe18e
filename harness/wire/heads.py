"""Request heads that the SDK built, remembered between runs, so that a short load need not load the SDK.

A remembered head has gaps where the key, the host, the length of the body and the headers' own values go: none of them
is ever on disk. The file's name is the hash of everything a head depends on, so a head that could have become another
one is simply not found. Whatever is wrong with a file, the SDK builds the head anew.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from harness import __version__, memory
from harness.wire.origin import Origin

_KIND = "heads"
_MAX_BYTES = 65536
_TELLING = 8
"""A key or value of fewer characters is no secret and turns up by chance."""
_FORMAT = 1
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TARGET = re.compile(r"/[!-~]*")


class Head(NamedTuple):
    """A serialised request head, open at the place of the content length."""

    origin: Origin
    before: bytes
    after: bytes | None
    """None: the request has no content-length header, so ``before`` is the whole head."""

    def render(self, length: int) -> bytes:
        """The head for a body of ``length`` bytes, with its empty line."""
        return self.before if self.after is None else b"%b%d%b" % (self.before, length, self.after)


class Gaps(NamedTuple):
    """What is filled in: never stored."""

    origin: Origin
    key: str | None
    """What is sent as the key, be it a wrong one; None: nothing."""
    values: Mapping[str, str]
    """Values of the headers that provider and request add, by lower-case name."""


def fingerprint(*parts: object) -> str:
    """Name of the file of a head: over what it depends on, and everything it was built with."""
    machine = [platform.system(), platform.release(), platform.machine()]
    made_by = [_FORMAT, __version__, _version("openai"), _version("httpx2"), sys.version, machine]
    return hashlib.sha256(json.dumps([made_by, parts], sort_keys=True, default=list).encode()).hexdigest()


def recall(name: str, gaps: Gaps) -> Head | None:
    """The head remembered under this name, with its gaps filled; None: none, or not one to trust."""
    known = memory.recall(_KIND, f"{name}.json", _MAX_BYTES)
    if known is None:
        return None
    try:
        return _filled(json.loads(known), gaps)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def remember(name: str, head: Head, gaps: Gaps) -> None:
    """Keep a head for later runs, if it can be told without any secret and there is a place for it."""
    template = _emptied(head, gaps)
    if template is not None:
        memory.remember(_KIND, f"{name}.json", json.dumps(template).encode("ascii"))


def refilled(head: Head, gaps: Gaps, other: Gaps) -> Head | None:
    """The head with another key in the place of the one it has; None: that cannot be told."""
    template = _emptied(head, gaps)
    return None if template is None else _filled(template, other)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _emptied(head: Head, gaps: Gaps) -> dict[str, Any] | None:
    """The head as it is stored; None: it cannot be put together again byte for byte, or it holds a secret."""
    text = head.render(0).decode("latin-1")
    lines = text.removesuffix("\r\n\r\n").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers.append([name, *_gap(name.lower(), value, gaps)])
    template = {"format": _FORMAT, "method": method, "target": rest.removesuffix(" HTTP/1.1"), "headers": headers}
    stored = json.dumps(template)  # escapes as the secret's own dump does
    secrets = [text for text in (gaps.key or "", *gaps.values.values()) if len(text) >= _TELLING]
    if any(json.dumps(secret)[1:-1] in stored for secret in secrets):
        return None
    try:
        return template if _filled(template, gaps) == head else None
    except (ValueError, TypeError, KeyError):
        return None


def _gap(name: str, value: str, gaps: Gaps) -> tuple[str, str]:
    """Kind and text of one header: what of it is stored."""
    if name == "host":
        return "host", ""
    if name == "content-length":
        return "length", ""
    if name in gaps.values and gaps.values[name] == value:
        return "value", ""
    if gaps.key is not None and value.endswith(gaps.key):
        return "key", value.removesuffix(gaps.key)
    return "text", value


def _filled(template: Any, gaps: Gaps) -> Head:
    """Put a stored head together; ValueError, TypeError or KeyError if it is not one."""
    method, target, keys = template["method"], template["target"], 0
    if template["format"] != _FORMAT or not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError("not a head")
    parts = [f"{method} {target} HTTP/1.1\r\n"]
    before: str | None = None
    for name, kind, text in template["headers"]:
        if not _TOKEN.fullmatch(name) or not text.isprintable():
            raise ValueError("not a header")
        if kind == "length":
            if before is not None:
                raise ValueError("two lengths")
            before = "".join([*parts, f"{name}: "])
            parts = ["\r\n"]
            continue
        if kind == "key":
            keys += 1
        value = {"text": text, "host": gaps.origin.authority, "key": f"{text}{gaps.key}"}.get(kind)
        parts.append(f"{name}: {gaps.values[name.lower()] if value is None else value}\r\n")
    if keys != (gaps.key is not None):
        raise ValueError("the key is not where it belongs")
    whole = "".join([*parts, "\r\n"])
    if before is None:
        return Head(gaps.origin, whole.encode("ascii"), None)
    return Head(gaps.origin, before.encode("ascii"), whole.encode("ascii"))
