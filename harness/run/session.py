"""What is said in a session of several requests, and the nonce of a load's prompts.

A session is a pure function of its sample and of the answers so far: its environment is replayed from the first state
for each request, so that a broken-off session goes on, and an old one is judged again, from the journal alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from harness.exchange import Completion
from harness.types import Job, JsonObject, Sample, Task
from harness.world import World

_TOOL_RESULT = json.dumps({"ok": True})
"""What every tool gives back where there is no environment: a load is about time, not about answers."""

MakeWorld = Callable[[Sample], World]


def nonced(sample: Sample, kind: Literal["request", "run", "none"], run: str, request: str) -> Sample:
    """The sample with a text before its first message that no earlier run can have left in a prompt cache.

    So too before each of its inputs. ``run`` is the text of this run, ``request`` tells its requests apart; kind
    ``run`` leaves ``request`` out, so that prefixes stay shared within the run. It is the same for every endpoint.
    """
    text = "-".join(part for part in (run, request if kind == "request" else "") if part)
    if kind == "none" or not text:
        return sample
    if sample.inputs:
        return replace(sample, inputs=tuple(f"[{text}] {one}" for one in sample.inputs))
    if not sample.messages:
        return sample
    first = sample.messages[0]
    content = first.get("content")
    if isinstance(content, list):
        changed: JsonObject = {**first, "content": [{"type": "text", "text": f"[{text}]"}, *content]}
    else:
        changed = {**first, "content": f"[{text}] {content or ''}"}
    return replace(sample, messages=(changed, *sample.messages[1:]))


def requests_of(task: Task, sample: Sample) -> int:
    """Most requests that a sample of a task takes."""
    return 1 + len(sample.turns) if task.world is None or task.steps is None else task.steps


def first_id(job: Job) -> str:
    """Id of the first job of its session, which is that of a job alone; it names the session."""
    return job.id.rpartition("~")[0] if job.turn else job.id


def earlier_turns(job: Job) -> list[str]:
    """Ids of the jobs of the same session before this one."""
    first = first_id(job)
    return [turn_id(first, turn) for turn in range(job.turn)]


def turn_id(first: str, turn: int) -> str:
    """Id of a job by that of the first job of its session."""
    return f"{first}~{turn}" if turn else first


def at_turn(sample: Sample, turn: int, said: Sequence[JsonObject], make_world: MakeWorld | None = None) -> Sample:
    """The sample as it stands at a turn: first messages, then answers, results of calls and the user's next words.

    ``said`` holds the answers of the turns before it, in the form of ``answer``; without them the user's words alone
    stand there, and with ``make_world`` the first messages alone.
    """
    if turn == 0 or (make_world is not None and not said):
        return sample
    messages = list(sample.messages)
    if make_world is not None:
        messages += _lived(sample, said, make_world(sample))
        return replace(sample, messages=tuple(messages))
    for place in range(turn):
        if place < len(said):
            messages += _answered(said[place], lambda _name, _arguments: _TOOL_RESULT)
        messages.append({"role": "user", "content": sample.turns[place]})
    return replace(sample, messages=tuple(messages))


def over(sample: Sample, said: Sequence[JsonObject]) -> bool:
    """Whether nothing is left to be said: the model has stopped calling, and the user has no more words."""
    return sum(1 for one in said if not one.get("tool_calls")) > len(sample.turns)


def answer(completion: Completion) -> JsonObject:
    """What an endpoint answered, as the message that the next request of its session has to carry.

    A call without an id, or with one that another call of the answer has, gets one of ours: each result needs its own.
    """
    message: JsonObject = {"role": "assistant", "content": completion.text}
    calls: list[JsonObject] = []
    taken: set[str] = set()
    for place, call in enumerate(completion.tool_calls):
        name = call.id or f"call_{place}"
        while name in taken:
            name += "_"
        taken.add(name)
        calls.append({"id": name, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
    return message | {"tool_calls": calls} if calls else message


def _lived(sample: Sample, said: Sequence[JsonObject], world: World) -> list[JsonObject]:
    """All that followed the first messages."""
    messages: list[JsonObject] = []
    words = iter(sample.turns)
    for message in said:
        messages += _answered(message, world.call)
        if not message.get("tool_calls") and (said_next := next(words, None)) is not None:
            messages.append({"role": "user", "content": said_next})
    return messages


def _answered(message: JsonObject, call: Callable[[str, str], str]) -> list[JsonObject]:
    """An answer with the results of its calls.

    Arguments that are no JSON object are carried on as an empty one: servers refuse a history that holds them. The
    result says what was wrong with them.
    """
    made = message.get("tool_calls") or []
    if not made:
        return [message]
    asked = [one["function"] for one in made]
    results = [
        {"role": "tool", "tool_call_id": one["id"], "content": call(what["name"], what["arguments"])}
        for one, what in zip(made, asked, strict=True)
    ]
    sound = [
        {**one, "function": {**what, "arguments": _object(what["arguments"])}}
        for one, what in zip(made, asked, strict=True)
    ]
    return [{**message, "tool_calls": sound}, *results]


def _object(text: str) -> str:
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
