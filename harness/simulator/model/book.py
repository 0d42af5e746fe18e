"""The right answers to the shipped tasks, read from the tasks themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness.simulator.requests.messages import text_of
from harness.types import JsonObject, Sample, Task


class Call(NamedTuple):
    """A tool call; ``arguments`` is JSON text."""

    name: str
    arguments: str


class Entry(NamedTuple):
    """What a right answer to one item is."""

    text: str
    calls: tuple[Call, ...] | None
    """None: an item of a quality task. Empty: no call is right."""
    later: tuple[Entry, ...] = ()
    """Where the item takes several requests: what is right in those after the first."""


class Book:
    """Entries by question."""

    def __init__(self, entries: Mapping[bytes, Entry]) -> None:
        self._entries = dict(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, messages: Sequence[JsonObject], tools: Iterable[str]) -> Entry | None:
        """The entry of a conversation, or else of its last user message; None: it is not a shipped question."""
        names = sorted(tools)
        whole = self._entries.get(_key(messages, names))
        if whole is not None:
            return whole
        said = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        first = self._entries.get(_key(messages[: said[0]], names)) if said else None
        if first is not None and first.later:
            return first.later[min(len(said), len(first.later)) - 1]
        last = [message for message in messages if message["role"] == "user"][-1:]
        return self._entries.get(_key(last, names)) if last else None


def write(tasks: Iterable[Task]) -> Book:
    """The book of all tasks whose data is shipped; a task that cannot be read is left out."""
    entries: dict[bytes, Entry] = {}
    for task in tasks:
        # What names another source than a file of ours would ask the network for its data.
        if task.source and not task.source.startswith("tasks/"):
            continue
        try:
            found = [(sample, _entry(sample, task)) for sample in task.load(None)]
        except Exception:  # noqa: BLE001, S112 - a user's own task may raise anything; who asks for it is told
            continue
        for sample, entry in found:
            names = sorted(tool["function"]["name"] for tool in sample.tools)
            entries.setdefault(_key(sample.messages, names), entry)
            last = [message for message in sample.messages if message["role"] == "user"][-1:]
            entries.setdefault(_key(last, names), entry)
    return Book(entries)


def _entry(sample: Sample, task: Task) -> Entry:
    if task.world is not None or sample.turns:
        # Of several requests only a reference solution tells what is right in each.
        solution = sample.metadata.get("solution") or ["I do not know."]
        first, *later = (_step(one) for one in solution)
        return first._replace(later=tuple(later))
    if task.kind == "tools":
        calls = tuple(Call(call["name"], _json(_first(call.get("arguments") or {}))) for call in sample.target or ())
        return Entry(str(sample.metadata.get("answer_text") or ""), calls)
    target = sample.target
    if isinstance(target, list | tuple) and target and all(isinstance(one, str) for one in target):
        # Scorers of text take any of several targets.
        target = target[0]
    elif not isinstance(target, str | int | float):
        target = _json(target)
    return Entry(str(sample.metadata.get("answer_text") or target), None)


def _step(solved: Any) -> Entry:
    """One step of a reference solution: a text, or calls."""
    if isinstance(solved, str):
        return Entry(solved, ())
    return Entry("", tuple(Call(call["name"], _json(call["arguments"])) for call in solved))


def _first(expected: Any) -> Any:
    """The value itself, or the first one where any of several is right."""
    if not isinstance(expected, dict):
        return expected
    if set(expected) == {"any_of"}:
        return expected["any_of"][0]
    return {name: _first(value) for name, value in expected.items()}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(messages: Sequence[JsonObject], tools: Sequence[str]) -> bytes:
    said = [(message["role"], text_of(message)) for message in messages]
    return hashlib.sha256(repr((said, list(tools))).encode("utf-8", "backslashreplace")).digest()
