"""The samples of a task, checked before anything is sent: a user's file may give anything."""

from __future__ import annotations

import itertools
import json
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, TaskError, UsageError
from harness.scorers.trial import try_target
from harness.types import Sample, Task


@contextmanager
def told(where: str) -> Iterator[None]:
    """A task's own code may raise anything: it becomes a TaskError that names ``where``, file and line."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((one for one in reversed(frames) if "tasks" in Path(one.filename).parts), frames[-1])
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise TaskError(f"{where}: {what} ({frame.filename}:{frame.lineno})") from error


def limits(selected: Sequence[str]) -> dict[str, int | None]:
    """Task name -> how many of its first samples are asked, from ``name`` or ``name:limit``; None: all."""
    found = [_limit(name) for name in selected]
    twice = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if twice:
        raise UsageError(f"task {twice[0]!r} is named twice", hint="Name it once; --repeats asks each sample again")
    return dict(found)


def _limit(selected: str) -> tuple[str, int | None]:
    name, colon, count = selected.partition(":")
    if colon and not (count.isdecimal() and int(count) > 0):
        raise UsageError(f"task {selected!r}: what stands after ':' is a number of samples, 1 or more, as in {name}:20")
    return name, int(count) if colon else None


def samples_of(task: Task, limit: int | None, data: str | None) -> tuple[Sample, ...]:
    """The samples of a task in its order, every one fit to be sent and scored; TaskError tells which is not."""
    with told(f"task {task.name}"):
        rows = tuple(itertools.islice(task.load(Path(data) if data else None), limit))
    if not rows:
        raise TaskError(f"task {task.name}: no samples" + (f" in {data}" if data else ""))
    seen: dict[str, str] = {}
    for number, sample in enumerate(rows, 1):
        if fault := _fault(sample, number):
            raise TaskError(f"task {task.name}: {fault}")
        if sample.id in seen:
            places = f": {seen[sample.id]} and {sample.place}" if sample.place else ""
            raise TaskError(
                f"task {task.name}: two samples have the id {sample.id!r}{places}", hint="Ids must be unique"
            )
        seen[sample.id] = sample.place
    _refuse_useless_worlds(task, rows)
    _refuse_useless_targets(task, rows)
    return rows


def _fault(sample: Any, number: int) -> str | None:
    """Why the ``number``-th thing that a task gave cannot be sent; None: it can."""
    if not isinstance(sample, Sample):
        return f"sample number {number} is a {type(sample).__name__}, not a Sample of harness.types"
    # A user's code is not type-checked: a field may hold anything.
    given: Mapping[str, Any] = {name: getattr(sample, name) for name in ("id", "messages", "params", "turns")}
    if not isinstance(given["id"], str) or not given["id"]:
        kind = "an empty one" if given["id"] == "" else f"a {type(given['id']).__name__}"
        return f"sample number {number}: id must be a string that is not empty, not {kind}"
    where = " ".join((sample.place or f"sample {sample.id}").split())
    if fault := _inputs_fault(sample) if sample.inputs else _messages_fault(given["messages"]):
        return f"{where}: {fault}"
    if not isinstance(given["params"], Mapping):
        return f"{where}: params must be a mapping, not a {type(given['params']).__name__}"
    turns = given["turns"]
    if not isinstance(turns, tuple | list) or not all(isinstance(words, str) for words in turns):
        return f"{where}: turns must be a tuple of strings, as in ('And then?',)"
    return None


def _messages_fault(messages: Any) -> str | None:
    if not isinstance(messages, tuple | list):
        return f"messages must be a tuple of messages, as in (message,), not a {type(messages).__name__}"
    if not messages:
        return "messages is empty"
    for index, message in enumerate(messages):
        if fault := _message_fault(message):
            return f"messages[{index}] {fault}"
    return None


def _inputs_fault(sample: Sample) -> str | None:
    inputs: Any = sample.inputs
    if not isinstance(inputs, tuple | list) or not all(isinstance(one, str) and one for one in inputs):
        return "inputs must be a tuple of texts that are not empty, as in ('A sentence.',)"
    if sample.messages or sample.turns or sample.tools:
        return "inputs ask for embeddings, and go with no messages, turns or tools"
    return None


def _message_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return f"must be a dict, not a {type(message).__name__}"
    if "role" not in message:
        return "has no 'role'"
    if not isinstance(message["role"], str):
        return f"has a 'role' that is a {type(message['role']).__name__}, not a string"
    return None if "content" in message or "tool_calls" in message else "has no 'content'"


def _refuse_useless_worlds(task: Task, samples: Sequence[Sample]) -> None:
    """A world is made once for each sample before anything is sent, and there must be steps enough for all turns."""
    if task.world is None:
        if task.steps is not None:
            raise TaskError(f"task {task.name}: steps go with a world", hint="Add world=..., or leave steps out")
        return
    for sample in samples:
        least = 1 + len(sample.turns)
        if task.steps is None or task.steps < least:
            raise TaskError(
                f"task {task.name}: sample {sample.id} takes at least {least} request(s), and steps is {task.steps}"
            )
        with told(f"task {task.name}: sample {sample.id}: its world"):
            json.dumps(task.world(sample).state(), allow_nan=False)


def _refuse_useless_targets(task: Task, samples: Sequence[Sample]) -> None:
    for sample in samples:
        try:
            with told(f"task {task.name}: sample {sample.id}"):
                try_target(task.scorer, sample)
        except TaskError as error:
            named = error.what.startswith(f"task {task.name}: ")
            where = f"task {task.name}: " + (f"{sample.place}: " if sample.place else "")
            raise TaskError(error.what if named else f"{where}{error.what}", hint=error.hint) from error
