"""What is said in a request of a load: its nonce, and the earlier turns of its session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from harness.exchange import Completion
from harness.types import JsonObject, Sample

_TOOL_RESULT = json.dumps({"ok": True})
"""What every tool of a load gives back: the load is about time, not about answers."""


def nonced(sample: Sample, kind: Literal["request", "run", "none"], run: str, request: str) -> Sample:
    """The sample with a text before its first message that no earlier run can have left in a prompt cache.

    ``run`` is the text of this run, ``request`` tells its requests apart; kind ``run`` leaves ``request`` out, so that
    prefixes stay shared within the run. It is the same for every endpoint.
    """
    text = "-".join(part for part in (run, request if kind == "request" else "") if part)
    if kind == "none" or not text or not sample.messages:
        return sample
    first = sample.messages[0]
    content = first.get("content")
    if isinstance(content, list):
        changed: JsonObject = {**first, "content": [{"type": "text", "text": f"[{text}]"}, *content]}
    else:
        changed = {**first, "content": f"[{text}] {content or ''}"}
    return replace(sample, messages=(changed, *sample.messages[1:]))


def at_turn(sample: Sample, turn: int, said: Sequence[JsonObject]) -> Sample:
    """The sample as it stands at a turn: first messages, then answers and the user's next words in turn.

    ``said`` holds the answers of the turns before it, in the form of ``answer``; without them the user's words alone
    stand there.
    """
    if turn == 0:
        return sample
    messages = list(sample.messages)
    for place in range(turn):
        if place < len(said):
            messages += said[place]["messages"]
        messages.append({"role": "user", "content": sample.turns[place]})
    return replace(sample, messages=tuple(messages))


def answer(completion: Completion) -> JsonObject:
    """What an endpoint answered, as the messages that its next turn has to carry."""
    message: JsonObject = {"role": "assistant", "content": completion.text}
    calls = [call for call in completion.tool_calls if call.id]
    if not calls:
        return {"messages": [message]}
    message["tool_calls"] = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
    results = [{"role": "tool", "tool_call_id": call.id, "content": _TOOL_RESULT} for call in calls]
    return {"messages": [message, *results]}
