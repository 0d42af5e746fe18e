"""The columns of a row and what each is for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from harness.errors import TaskError
from harness.prompts import choices as lettered
from harness.prompts import template
from harness.prompts.filed import Filed
from harness.scorers.strict_json import parse, shown
from harness.types import JsonObject, Sample

ASKED = ("messages", "prompt", "question", "input")
"""One of these holds what is asked."""
TARGETS = ("target", "answer", "expected", "ideal")
"""One of these holds what a right answer holds."""
OTHERS = ("id", "system", "choices", "tools", "params", "turns", "metadata", "scorer")
_LONGEST_ID = 200
_MOST_CHOICES = 26


class Taken(NamedTuple):
    """Which columns are read for what, decided on the first row."""

    asked: str | None
    """None: a template asks."""
    target: str | None
    others: tuple[str, ...]
    rest: tuple[str, ...]
    """Kept as metadata."""
    of_text: bool
    """Whether every value is a text, as in a table without types."""


def take(row: Mapping[str, Any], place: str, filed: Filed) -> Taken:
    """Decide by the first row which columns are read; TaskError says what is missing or could be meant twice."""
    names = [str(name) for name in row]
    asked = None
    if filed.prompt is None:
        asked = _one("a question", ASKED, names, place, "Say which with --prompt '{%s}'")
    else:
        template.fill(filed.prompt, {**row, "choices": ""} if "choices" in row else row)
        if not template.fields(filed.prompt) and not {"choices", "system", "turns"} & set(names):  # these vary by row
            hint = f"Columns: {', '.join(names)[:200]}. In a shell it stands in single quotes"
            raise TaskError(f"the template {filed.prompt[:60]!r} names no column, as in '{{{names[0]}}}'", hint=hint)
    target = filed.target
    if target is None and any(name in names for name in TARGETS):
        target = _one("a target", TARGETS, names, place, "Say which with --target %s")
    elif target is not None:
        _present(target, row, place)
    others = tuple(name for name in OTHERS if name in names and name not in (asked, target))
    rest = tuple(name for name in names if name not in (asked, target, *others))
    return Taken(asked, target, others, rest, filed.of_text)


def told(taken: Taken, filed: Filed) -> str:
    """What is read of a file, in one line."""
    asked = f"asks {filed.prompt!r}" if taken.asked is None else f"asks the column {taken.asked}"
    target = f"target: {taken.target}" if taken.target else "no target"
    others = f"also read: {', '.join(taken.others)}" if taken.others else ""
    rest = f"kept as metadata: {', '.join(taken.rest)[:200]}" if taken.rest else ""
    sent = f"temperature {filed.temperature:g}, max_tokens {filed.max_tokens}"
    return f"{filed.file}: " + "; ".join(part for part in (asked, target, others, rest, sent) if part)


def sample_of(row: Mapping[str, Any], place: str, number: int, taken: Taken, filed: Filed) -> Sample:
    """The sample of one row; TaskError, at ``place``, names the column that is wrong."""
    found = {name: _meaning(name, row.get(name), place) for name in taken.others}
    target = _target(row.get(taken.target), of_text=taken.of_text) if taken.target else None
    offered = found.get("choices")
    if offered is not None and target is not None:
        target = lettered.letter(target, offered, place)
    kept = {name: row.get(name) for name in taken.rest} | (found.get("metadata") or {})
    if found.get("scorer") is not None:
        kept["scorer"] = found["scorer"]
    return Sample(
        id=found.get("id") or f"{number:04d}",
        messages=tuple(_messages(row, place, taken, filed, found)),
        target=target,
        tools=tuple(found.get("tools") or ()),
        params=_params(found.get("params") or {}, filed),
        place=place,
        metadata=kept,
        turns=tuple(found.get("turns") or ()),
    )


def _one(what: str, usual: tuple[str, ...], names: list[str], place: str, hint: str) -> str:
    found = [name for name in usual if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise TaskError(f"{place}: the columns {' and '.join(found)} could each be {what}", hint=hint % found[0])
    near = [(name, one) for one in usual for name in difflib.get_close_matches(one, names, n=1, cutoff=0.7)]
    meant = f"Is {near[0][0]} meant for {near[0][1]}? " if near else ""
    raise TaskError(
        f"{place}: no column with {what}: one of {', '.join(usual)}",
        hint=f"{meant}It has: {', '.join(names)[:200]}. Name another one as in --prompt '{{column}}'",
    )


def _present(name: str, row: Mapping[str, Any], place: str) -> Any:
    """The value of a column that every row must have."""
    if row.get(name) is None:
        near = difflib.get_close_matches(name, list(map(str, row)), n=1)
        meant = f"Did you mean {near[0]}?" if near and near[0] != name else f"It has: {', '.join(map(str, row))[:200]}"
        raise TaskError(f"{place}: no column {name!r}", hint=meant)
    return row[name]


# --- what is asked ---------------------------------------------------------------------------------------


def _messages(
    row: Mapping[str, Any], place: str, taken: Taken, filed: Filed, found: Mapping[str, Any]
) -> list[JsonObject]:
    offered = found.get("choices")
    listed = lettered.options(offered) if offered else ""
    if taken.asked is None:
        assert filed.prompt is not None
        for name in template.fields(filed.prompt):
            _present(name, row, place)
        text = template.fill(filed.prompt, {**row, "choices": listed} if offered else row)
        apart = listed if "choices" not in template.fields(filed.prompt) else ""
    else:
        value = _present(taken.asked, row, place)
        if taken.asked == "messages" or isinstance(value, list):
            given = _chat(value, place, taken.asked)
            return _with_system(given, found.get("system"), filed.system, place)
        text, apart = template.as_text(value), f"{listed}\n{lettered.INSTRUCTION}" if listed else ""
    if not text.strip():
        raise TaskError(f"{place}: there is nothing to ask: column {taken.asked or 'prompt'!r} is empty")
    text = f"{text}\n\n{apart}" if apart else text
    return _with_system([{"role": "user", "content": text}], found.get("system"), filed.system, place)


def _chat(value: Any, place: str, column: str) -> list[JsonObject]:
    messages = _json(value, place, column)
    if not isinstance(messages, list) or not messages:
        raise TaskError(f"{place}: column {column!r} is a list of messages, not {shown(messages)}")
    for index, one in enumerate(messages):
        if not isinstance(one, dict) or not isinstance(one.get("role"), str):
            raise TaskError(f"{place}: {column}[{index}] is a message with role and content, not {shown(one)}")
    return messages


def _with_system(messages: list[JsonObject], own: str | None, usual: str | None, place: str) -> list[JsonObject]:
    has = messages[0]["role"] in ("system", "developer")
    if has and own:
        raise TaskError(f"{place}: column 'system', and the messages begin with a {messages[0]['role']} message")
    text = own or (None if has else usual)
    return [{"role": "system", "content": text}, *messages] if text else messages


def _params(given: Mapping[str, Any], filed: Filed) -> JsonObject:
    """The body fields of a row over the usual ones; null takes one away."""
    usual: JsonObject = {"temperature": filed.temperature, "max_tokens": filed.max_tokens}
    if "max_completion_tokens" in given:
        del usual["max_tokens"]
    return {name: value for name, value in {**usual, **given}.items() if value is not None}


# --- what a cell means -----------------------------------------------------------------------------------


def _meaning(name: str, value: Any, place: str) -> Any:
    """The value of one of ``OTHERS``; None: the row has none (a table of text has empty cells)."""
    if value is None or value == "":
        return None
    return _MEANINGS[name](value, place)


def _id(value: Any, place: str) -> str:
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or not text.strip() or not text.isprintable():
        raise TaskError(f"{place}: column 'id' is a text of one line or a whole number, not {shown(value)}")
    if len(text) > _LONGEST_ID:
        raise TaskError(f"{place}: column 'id' has {len(text)} characters, more than {_LONGEST_ID}")
    return text


def _text(name: str) -> Callable[[Any, str], str]:
    def read(value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise TaskError(f"{place}: column {name!r} is a text, not {shown(value)}")
        return value

    return read


def _choices(value: Any, place: str) -> list[str]:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        value = [one.strip() for one in value.split("|")]
    found = _json(value, place, "choices")
    if not isinstance(found, list) or not 2 <= len(found) <= _MOST_CHOICES:
        raise TaskError(f"{place}: column 'choices' is a list of 2 to {_MOST_CHOICES} choices, not {shown(found)}")
    return [template.as_text(one) for one in found]


def _tools(value: Any, place: str) -> list[JsonObject]:
    found = _json(value, place, "tools")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TaskError(f"{place}: column 'tools' is a list of tools, not {shown(found)}")
    wrapped = [one if "type" in one and "function" in one else {"type": "function", "function": one} for one in found]
    for index, one in enumerate(wrapped):
        function = one["function"]
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise TaskError(f"{place}: tools[{index}] has no name: {shown(one)}")
    return wrapped


def _object(name: str) -> Callable[[Any, str], JsonObject]:
    def read(value: Any, place: str) -> JsonObject:
        found = _json(value, place, name)
        if not isinstance(found, dict):
            raise TaskError(f"{place}: column {name!r} is a JSON object, not {shown(found)}")
        return found

    return read


def _turns(value: Any, place: str) -> list[str]:
    found = _json(value, place, "turns")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise TaskError(f"{place}: column 'turns' is a list of texts, not {shown(found)}")
    return found


_MEANINGS: Mapping[str, Callable[[Any, str], Any]] = {
    "id": _id,
    "system": _text("system"),
    "choices": _choices,
    "tools": _tools,
    "params": _object("params"),
    "turns": _turns,
    "metadata": _object("metadata"),
    "scorer": _text("scorer"),
}


def _json(value: Any, place: str, column: str) -> Any:
    """A value that a table of text holds as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError as error:
        raise TaskError(f"{place}: column {column!r} is not JSON: {error}") from None


def _target(value: Any, *, of_text: bool) -> Any:
    """The target; in a table of text a JSON list or object is read as such, and an empty cell is none."""
    if not of_text or not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith(("[{", '["', "[]", '{"')):
        with suppress(ValueError):
            return parse(text)
    return value if text else None
