"""The prompts of a file in promptfoo's form: texts, or lists of messages, with ``{{ name }}`` fields."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.config.file import read_plain
from harness.errors import TaskError
from harness.prompts.template import fill_double, filled
from harness.scorers.strict_json import parse, shown
from harness.types import JsonObject

Where = Callable[..., str]
"""``where("tests", 0)`` is the place of that field: file, line, field."""

FILE = "file://"
_MAX_BYTES = 1_000_000
_TEXTS = (".txt", ".md", ".j2")
_A_FILE = re.compile(r"\S+\.(?:txt|md|j2|json|yaml|yml|js|mjs|cjs|ts|py|sh|rb|pl|csv)(?::\w+)?")
_CHAT = re.compile(r'\s*\[\s*\{\s*"role"')
_APART = re.compile(r"^---\s*$", re.MULTILINE)


class Prompt(NamedTuple):
    """One prompt before its fields are filled in."""

    label: str
    content: str | list[JsonObject]
    """One text for the user's message, or all messages."""

    def messages(self, values: Mapping[str, Any], prefix: str, suffix: str) -> list[JsonObject]:
        """The messages with these values; ``prefix`` and ``suffix`` go around a text."""
        if isinstance(self.content, str):
            return [{"role": "user", "content": fill_double(f"{prefix}{self.content}{suffix}", values)}]
        return [filled(message, values) for message in self.content]


def prompts_of(given: Any, folder: Path, where: Where) -> list[Prompt]:
    """The prompts of the field ``prompts``; TaskError for one that would have to be carried out."""
    if given is None:
        return [Prompt("prompt", "{{prompt}}")]
    several = given if isinstance(given, list) else [given]
    found = [
        prompt
        for index, one in enumerate(several)
        for prompt in _prompts(one, folder, where("prompts", index) if isinstance(given, list) else where("prompts"))
    ]
    if not found:
        raise TaskError(f"{where('prompts')}: there is no prompt")
    return found


def inside(folder: Path, reference: str, place: str) -> Path:
    """The file that a reference names; TaskError for one outside the folder, which a stranger's file must not send."""
    path = folder / reference.removeprefix(FILE)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TaskError(f"{place}: {reference} lies outside of the file's own folder", hint="Put it beside the file")
    if not path.is_file():
        raise TaskError(f"{place}: no such file: {path}")
    return path


def _prompts(given: Any, folder: Path, place: str) -> Iterator[Prompt]:
    if isinstance(given, dict) and "role" not in given:
        raw = given.get("raw", given.get("id", given.get("label")))
        label = str(given.get("label") or given.get("id") or "")
        if raw is None:
            raise TaskError(f"{place}: a prompt has raw, id or label, this one has {', '.join(given)[:100]}")
        for one in _prompts(raw, folder, place):
            yield Prompt(label or one.label, one.content)
        return
    if isinstance(given, list):
        yield Prompt(place.rpartition(" ")[2], _messages(given, place))
        return
    if not isinstance(given, str) or not given.strip():
        raise TaskError(f"{place}: a prompt is a text or a list of messages, not {shown(given)}")
    if re.fullmatch(r"exec:.*|(?!file:)\w+://\S+", given, re.DOTALL):
        raise TaskError(f"{place}: {shown(given)} would have to be carried out or fetched", hint="Write it here")
    if given.startswith(FILE) or _A_FILE.fullmatch(given):
        yield from _from_file(given, folder, place)
    else:
        yield Prompt(" ".join(given.split())[:60], _content(given, place))


def _from_file(reference: str, folder: Path, place: str) -> Iterator[Prompt]:
    suffix = Path(reference).suffix.lower()
    if suffix not in (*_TEXTS, ".json", ".yaml", ".yml"):
        raise TaskError(
            f"{place}: prompts are not read from {shown(reference)}",
            hint=f"Give one of {', '.join((*_TEXTS, '.json', '.yaml'))}",
        )
    path = inside(folder, reference, place)
    if suffix in (".yaml", ".yml"):
        yield Prompt(path.name, _messages(read_plain(path, empty="the file is empty").value, str(path)))
        return
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            raise TaskError(f"{place}: {path} is larger than {_MAX_BYTES:,} bytes")
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{place}: {path} cannot be read: {error}") from None
    parts = [text] if suffix == ".json" else [one for one in _APART.split(text) if one.strip()]
    for number, part in enumerate(parts, 1):
        yield Prompt(path.name if len(parts) == 1 else f"{path.name} {number}", _content(part.strip(), str(path)))


def _content(text: str, place: str) -> str | list[JsonObject]:
    """A text, or the messages that it is the JSON of."""
    if not _CHAT.match(text):
        return text
    try:
        return _messages(parse(text), place)
    except ValueError as error:
        raise TaskError(f"{place}: looks like a list of messages and is not JSON: {error}") from None


def _messages(given: Any, place: str) -> list[JsonObject]:
    good = isinstance(given, list) and all(
        isinstance(one, dict) and isinstance(one.get("role"), str) and "content" in one for one in given
    )
    if not good or not given:
        raise TaskError(f"{place}: a list of messages, each with role and content, is wanted, not {shown(given)}")
    messages: list[JsonObject] = json.loads(json.dumps(given))
    return messages
