"""Who was behind the address that was asked, as an answer itself tells: a gateway's backend, software and versions.

Which field and which headers name a backend is declared by the provider; here they are read off what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from harness.exchange import Exchange
from harness.provider import Naming
from harness.types import JsonObject

UNDECLARED = Naming()
"""Of a provider that declares nothing."""
_ANY_SERVER = ("server", "via", "x-powered-by", "openai-version")
"""Headers that tell software or version whoever sends them."""
_LONGEST = 200
"""Characters of one value that are kept."""
_EVENTS = 64
"""Chunks that are looked through for a backend: those that name one do so early, or in the last."""


def naming_of(stored: Any) -> Naming:
    """What a manifest says that the provider declared; nothing where it is of an older harness."""
    if not isinstance(stored, Mapping):
        return UNDECLARED
    headers = (tuple(stored.get(name) or ()) for name in ("backend_headers", "version_headers"))
    return Naming(stored.get("backend_field"), *headers)


def who_answered(exchange: Exchange, naming: Naming) -> JsonObject:
    """The columns ``backend`` and ``server_headers`` of an attempt."""
    return {"backend": backend(exchange, naming), "server_headers": server_headers(exchange, naming)}


def backend(exchange: Exchange, naming: Naming) -> str | None:
    """What the declared field and headers name, joined by `` / ``; None: nothing is declared, or nothing was told."""
    in_body = None if naming.backend_field is None else _in_body(exchange.body, naming.backend_field.split("."))
    found = [in_body, *(_header(exchange, name) for name in naming.backend_headers)]
    return " / ".join(value for value in found if value) or None


def server_headers(exchange: Exchange, naming: Naming) -> tuple[str, ...] | None:
    """Headers that tell software or version, each as ``name: value``; None: no response came."""
    if exchange.status is None:
        return None
    names = dict.fromkeys((*_ANY_SERVER, *naming.version_headers))
    return tuple(f"{name}: {value}" for name in names if (value := _header(exchange, name)))


def _header(exchange: Exchange, name: str) -> str | None:
    """The values of a header, several joined by a comma; None: it did not come, or was empty."""
    return ", ".join(value for own, value in exchange.headers if own == name and value)[:_LONGEST] or None


def _in_body(body: bytes, path: list[str]) -> str | None:
    """What stands at a path of the body, or of the first chunk that has it; None: it stands nowhere."""
    named = b'"%s"' % path[-1].encode()
    for text in _objects(body, named):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)[:_LONGEST]
    return None


def _objects(body: bytes, named: bytes) -> Iterator[bytes]:
    """What may be JSON that holds a name: the body whole, or the data of its events."""
    if named not in body:
        return
    if not body.lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:")):
        yield body
        return
    holding = [line for line in body.splitlines() if line.startswith(b"data:") and named in line]
    for line in holding if len(holding) <= _EVENTS else (*holding[: _EVENTS - 1], holding[-1]):
        yield line[5:]
