"""Short streams with nothing out of the ordinary, understood at one go.

Most of the work on an answer of a few tokens is to look for oddities, event by event. Here all events are looked at
together for whether there can be any; an answer that may have one is left to the long way, which names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from harness.exchange import Completion, StreamMarks, Usage
from harness.types import JsonObject
from harness.wire import shapes
from harness.wire.objects import COMPLAINING, exact

MOST_EVENTS = 24
"""In a longer stream the templates of its text save more than this does."""
_ELSEWHERE = frozenset({"message", "text", "usage", "error"})
"""Fields of a choice for what should stand somewhere else."""
_SAYING = frozenset({"role", "content"})
_ENDS = frozenset({"stop", "length"})
_OBJECT = "chat.completion.chunk"


def ordinary(events: Sequence[bytes], reads: Sequence[int], times: Sequence[int]) -> Completion | None:
    """The completion of a stream, given the data of its events; None: there may be something to tell of it.

    ``reads`` holds the index of the read that ended each event, ``times`` the arrivals of the reads. An ordinary stream
    has objects of one identity: a role, texts, one finish reason after them, at most one usage; and then ``[DONE]``.
    """
    if events[-1] != b"[DONE]" or not exact(b"".join(events)):
        return None
    try:
        return _added_up(list(map(orjson.loads, events[:-1])), reads, times)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None  # something is not there, or not of the type it should be; what is no JSON is a ValueError too


def _added_up(chunks: Sequence[JsonObject], reads: Sequence[int], times: Sequence[int]) -> Completion | None:
    stated = _identity(chunks[0])
    roles = 0
    texts: list[str] = []
    outputs: dict[int, int] = {}
    finish: str | None = None
    finished = 0
    usage: Usage | None = None
    names: set[str] = set()
    for chunk, read in zip(chunks, reads, strict=False):
        if _identity(chunk) != stated or not COMPLAINING.isdisjoint(chunk):
            return None
        if chunk["choices"] == []:
            if usage is not None or (usage := shapes.usage(chunk, {}, names)) is None:
                return None
            continue
        role, text, reason = _said(chunk)
        roles += role
        if finish is not None and (text or reason):
            return None
        if text:
            texts.append(text)
            outputs[read] = outputs.get(read, 0) + 1
        if reason:
            finish, finished = reason, read
    if roles > 1 or finish is None or not texts or stated[-1] != _OBJECT or shapes.repeats(texts):
        return None
    output_ns = tuple(map(times.__getitem__, outputs))
    marks = StreamMarks(
        ev1_ns=times[reads[0]],
        tok1_ns=output_ns[0],
        vis1_ns=output_ns[0],
        tokn_ns=output_ns[-1],
        fin_ns=times[finished],
        done_ns=times[reads[-1]],
    )
    response_id, model, fingerprint = (value if value and isinstance(value, str) else None for value in stated[:-1])
    return Completion(
        text="".join(texts),
        reasoning="",
        refusal="",
        tool_calls=(),
        finish_reason=finish,
        usage=usage,
        marks=marks,
        output_ns=output_ns,
        output_events=tuple(outputs.values()),
        deviations=tuple(sorted(names)),
        response_id=response_id,
        model=model,
        system_fingerprint=fingerprint,
    )


def _said(chunk: JsonObject) -> tuple[bool, str, str | None]:
    """Whether it names the role, its text, its finish reason; ValueError: that is not all."""
    (choice,) = chunk["choices"]
    delta, index, reason = choice["delta"], choice["index"], choice.get("finish_reason")
    text, role = delta.get("content"), delta.get("role")
    if text is None:
        text = ""
    if (
        chunk.get("usage") is None
        and type(index) is int
        and index == 0
        and _ELSEWHERE.isdisjoint(choice)
        and _SAYING.issuperset(delta)
        and type(text) is str
        and (role is None or role == "assistant")
        and (reason is None or reason in _ENDS)
    ):
        return role is not None, text, reason
    raise ValueError


def _identity(chunk: JsonObject) -> tuple[Any, ...]:
    get = chunk.get
    return get("id"), get("model"), get("system_fingerprint"), get("object", _OBJECT)
