"""What is written when: the writes of one response, each with the time it is due."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

from harness.simulator.profile import Profile
from harness.simulator.shapes import Shape, dumps
from harness.simulator.speech import Choice
from harness.types import JsonObject

Kind = Literal["head", "role", "token", "end", "body", "close", "abort"]
_LAST = b"0\r\n\r\n"
_LATE_CLOSE_NS = 5_000_000_000
_INSIDE = ("cut", "reset", "stall", "inband_error", "malformed")
"""Faults that come at some token of a stream."""


class Send(NamedTuple):
    """One write."""

    due_ns: int
    """After the request was read."""
    kind: Kind
    """``close`` and ``abort`` end the connection and write nothing."""
    data: bytes = b""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response ready to be written."""

    shape: Shape
    choices: tuple[Choice, ...]
    usage: JsonObject
    include_usage: bool
    due_ns: tuple[int, ...]
    """When each step is due: the k-th token of every choice."""
    profile: Profile
    fault: str | None
    rng: random.Random


def whole(answer: Answer, head: bytes, body: bytes) -> Iterator[Send]:
    """The writes of a response that is not streamed: one, when its last token is due."""
    due = answer.due_ns[-1] if answer.due_ns else round(answer.profile.ttft_ms * 1e6)
    match answer.fault:
        case "cut" | "reset":
            yield Send(due, "body", head + body[: len(body) // 2])
            yield Send(due, "close" if answer.fault == "cut" else "abort")
        case "stall":
            yield Send(due + _stall_ns(answer), "close")
        case _:
            yield Send(due, "body", head + body)


def streamed(answer: Answer, head: bytes) -> Iterator[Send]:
    """The writes of a stream: headers, role chunk, a write for every ``burst`` tokens, and one for the end."""
    mutants, burst = answer.shape.mutants, answer.profile.burst
    steps = len(answer.due_ns)
    first = answer.due_ns[0] if steps else round(answer.profile.ttft_ms * 1e6)
    start = 0 if answer.profile.early_role else first
    yield Send(start, "head", head)
    roles = _roles(answer)
    if "bom" in mutants:
        roles = b"\xef\xbb\xbf" + roles
    if roles:
        yield Send(start, "role", _http_chunk(roles))
    broken = answer.rng.randrange(steps + 1) if answer.fault in _INSIDE else steps + 1
    due = first
    for _, group in groupby(_tokens(answer, min(broken, steps)), lambda event: (event[0] // burst, event[2])):
        events = list(group)
        due = answer.due_ns[-1] if "buffered_stream" in mutants else answer.due_ns[events[0][0] // burst * burst]
        yield Send(due, "token", b"".join(_http_chunk(event[1]) for event in events), len(events))
    if broken <= steps:
        yield from _broken(answer, due, broken, steps)
        return
    yield from _end(answer, due)


def _broken(answer: Answer, due: int, broken: int, steps: int) -> Iterator[Send]:
    """The rest of a stream whose fault comes before step ``broken``."""
    match answer.fault:
        case "cut":
            yield Send(due, "close")
        case "reset":
            yield Send(due, "abort")
        case "stall":
            yield Send(due + _stall_ns(answer), "close")
        case "inband_error":
            error = {"message": "The engine died.", "type": "server_error", "param": None, "code": "engine_error"}
            yield Send(due, "end", _http_chunk(b"data: " + dumps({"error": error}) + b"\n\n") + _LAST)
        case _:
            yield Send(due, "token", _http_chunk(b'data: {"id":"' + answer.shape.id.encode() + b'","choi\n\n'))
            for step, event, _ in _tokens(answer, steps):
                if step >= broken:
                    due = answer.due_ns[step]
                    yield Send(due, "token", _http_chunk(event), 1)
            yield from _end(answer, due)


def _roles(answer: Answer) -> bytes:
    shape, mutants = answer.shape, answer.shape.mutants
    if shape.surface == "text" or "no_role" in mutants:
        return b""
    events = b""
    for choice in answer.choices:
        delta: JsonObject = {"role": "assistant", "content": None if choice.calls else "", "refusal": None}
        events += _event(answer, [shape.delta(choice.index, delta)])
    if "comment_as_data" in mutants:
        events += b"data: : keep-alive\n\n"
    if "bare_event" in mutants:
        events += b"event: ping\n\n"
    return events


def _tokens(answer: Answer, steps: int) -> Iterator[tuple[int, bytes, int]]:
    """Step, event and choice of each token, step by step."""
    shape, mutants = answer.shape, answer.shape.mutants
    said = dict.fromkeys(range(len(answer.choices)), "")
    number = 0
    for step in range(steps):
        for choice in answer.choices:
            if step >= len(choice.pieces):
                continue
            piece = choice.pieces[step]
            said[choice.index] += piece.text
            if piece.call >= 0:
                delta = shape.call_delta(choice, piece)
            else:
                delta = {"content": said[choice.index] if "cumulative" in mutants else piece.text}
            if "role_every_chunk" in mutants:
                delta = {"role": "assistant", **delta}
            index = number if "counting_index" in mutants else choice.index
            number += 1
            yield step, _event(answer, [shape.delta(index, delta, None, piece)]), choice.index


def _end(answer: Answer, due: int) -> Iterator[Send]:
    """Finish reasons, usage, [DONE] and the end of the HTTP body, in one write."""
    shape, mutants = answer.shape, answer.shape.mutants
    events: list[bytes] = []
    for choice in answer.choices:
        finish = None if mutants & {"finish_never", "finish_null"} else choice.finish
        last = [shape.delta(choice.index, {}, finish)]
        inside = answer.include_usage and "usage_in_last_choice" in mutants
        events += [_event(answer, last, usage=answer.usage if inside else None)] * (
            2 if "finish_twice" in mutants else 1
        )
        if "text_after_finish" in mutants:
            events.append(_event(answer, [shape.delta(choice.index, {"content": " more"})]))
    hidden = mutants & {"no_usage", "no_usage_chunk", "usage_in_last_choice"}
    if (answer.include_usage or "usage_unasked" in mutants) and not hidden:
        events.append(_event(answer, [], usage=answer.usage))
    if "no_done" not in mutants:
        events.append(b"data: [DONE]" if "no_last_blank" in mutants else b"data: [DONE]\n\n")
    if "after_done" in mutants:
        events.append(_event(answer, [shape.delta(0, {})]))
    data = b"".join(map(_http_chunk, events))
    if "late_close" in mutants:
        yield Send(due, "end", data)
        yield Send(due + _LATE_CLOSE_NS, "end", _LAST)
    else:
        yield Send(due, "end", data + _LAST)


def _event(answer: Answer, choices: Sequence[JsonObject], usage: JsonObject | None = None) -> bytes:
    mutants = answer.shape.mutants
    if "usage_every_chunk" in mutants:
        usage = answer.usage
    shown = usage is not None or (answer.include_usage and not mutants & {"no_usage", "no_usage_chunk"})
    data = dumps(answer.shape.chunk(list(choices), usage, with_usage=shown))
    if "split_character" in mutants:
        # Only the first byte of each character is kept, as by a server that decodes the output token by token.
        data = bytes(byte for byte in data if byte < 0x80 or byte >= 0xC0)
    return b"data: " + data + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _stall_ns(answer: Answer) -> int:
    return round(answer.profile.stall_s * 1e9)
