"""Conversations of an airline's agent: 86 requests cut out of 45 of them, with calls and results in them.

A request is our own: a conversation up to a point where the agent made a call, and up to one where it spoke to the
customer, so that both are asked for. The tools are those that any conversation calls, with the parameters and types
that the calls show. The score only says whether there was an answer.

Source: sierra-research/tau-bench at commit 59a200c, ``historical_trajectories/gpt-4o-airline.json``: real runs of an
agent and a simulated customer, the first trial of each item in which a tool was called. Licence: MIT.

Known traps: what the agent did is not what every model would do; only the reference says what is to be expected. The
schemas of tools are made from calls, not the benchmark's own. A request has 3,000 to 8,000 tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.data import local_rows
from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import JsonObject, Sample, Task

_HINT = (
    "--data: historical_trajectories/gpt-4o-airline.json of the repository sierra-research/tau-bench at commit 59a200c"
)
_FIELDS = ("role", "content", "tool_calls", "tool_call_id")
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def load(data: Path | None) -> Iterator[Sample]:
    """Two requests of each conversation, in the order of the file; data needs the file with the conversations."""
    if data is None:
        raise TaskError("task fidelity_tau reads a local file", hint=_HINT)
    rows = list(local_rows(data, ("task_id", "trial", "traj")))
    tools = tuple(_tools([message for row in rows for message in row["traj"]]))
    for row in rows:
        if row["trial"] != 0:
            continue
        messages = [{name: message[name] for name in _FIELDS if name in message} for message in row["traj"]]
        for kind, place in _places(messages):
            yield Sample(
                id=f"{row['task_id']}-{kind}",
                messages=tuple(messages[:place]),
                tools=tools,
                params={"temperature": 0, "max_tokens": 256, "tool_choice": "auto"},
                metadata={"cluster": str(row["task_id"])},
            )


def _places(messages: Sequence[JsonObject]) -> Iterator[tuple[str, int]]:
    """Where a conversation is cut: the agent's middle call, and its middle words, behind the first result of a tool."""
    first = next((place for place, message in enumerate(messages) if message["role"] == "tool"), len(messages))
    own = [place for place in range(first, len(messages)) if messages[place]["role"] == "assistant"]
    for kind, called in (("call", True), ("words", False)):
        places = [place for place in own if bool(messages[place].get("tool_calls")) is called]
        if places:
            yield kind, places[len(places) // 2]


def _tools(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """The tools that are called, by name, as far as their calls show what they take."""
    made: dict[str, list[JsonObject]] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            made.setdefault(call["function"]["name"], []).append(json.loads(call["function"]["arguments"]))
    for name in sorted(made):
        calls = made[name]
        taken = sorted({key for call in calls for key in call})
        schema: JsonObject = {
            "type": "object",
            "properties": {key: _schema([call[key] for call in calls if key in call]) for key in taken},
            "required": [key for key in taken if all(key in call for call in calls)],
        }
        described = {"name": name, "description": name.replace("_", " ").capitalize(), "parameters": schema}
        yield {"type": "function", "function": described}


def _schema(values: Sequence[Any]) -> JsonObject:
    """What values that were seen have in common: their type, and of lists that of what is in them."""
    kinds = {_KINDS.get(type(value)) for value in values}
    if kinds == {"integer", "number"}:
        return {"type": "number"}
    if len(kinds) != 1 or None in kinds:
        return {}
    inner = [each for value in values if isinstance(value, list) for each in value]
    return {"type": kinds.pop(), **({"items": _schema(inner)} if inner else {})}


TASK = Task(
    name="fidelity_tau",
    version=1,
    kind="tools",
    description="Conversations of an airline's agent, cut before a call and before words; whether there is an answer.",
    load=load,
    scorer=answered(),
    licence="MIT",
    source="local: sierra-research/tau-bench@59a200c",
)
