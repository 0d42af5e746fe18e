"""What is written when: the writes of one response, each with the time it is due."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

from harness.simulator.profile import Profile
from harness.simulator.surfaces.events import Answer, Framing, Script
from harness.types import JsonObject

Kind = Literal["head", "role", "token", "end", "body", "slot", "tick", "close", "abort"]
ENGINE_DIED: JsonObject = {"message": "The engine died.", "type": "server_error", "param": None, "code": "engine_error"}
_LATE_CLOSE_NS = 2_200_000_000
_COARSE = 64
"""Tokens in a coarse chunk."""
_ENDLESS_NS = 1_000_000
"""Least time between two tokens of a stream without end."""
_MOST_EVENTS = 128
"""In one write: what is due all at once still lets other streams have their turn."""
_INSIDE = ("cut", "reset", "stall", "inband_error", "malformed", "giant_line")
"""Faults that come at some token of a stream."""


class Send(NamedTuple):
    """One write, or something to wait for."""

    due_ns: int
    """After the request was read."""
    kind: Kind
    """``close`` and ``abort`` end the connection, ``slot`` waits for a place in the batch, ``tick`` is a token that
    nothing is written for yet."""
    data: bytes = b""
    tokens: int = 0


_SLOT = Send(0, "slot")


def whole(answer: Answer, head: bytes, body: bytes) -> Iterator[Send]:
    """The writes of a response that is not streamed: one, when its last token is due."""
    fault, profile = answer.fault, answer.profile
    if fault == "stall_before_headers":
        yield _SLOT
        yield Send(_stall_ns(answer), "close")
        return
    yield _SLOT
    dues = answer.dues()
    due = next(dues)
    if answer.steps:
        yield Send(due, "tick", tokens=1)
    for _ in range(answer.steps - 1):
        due = next(dues)
        if profile.live:
            yield Send(due, "tick", tokens=1)
    rest = 0 if profile.live or answer.steps < 2 else answer.steps - 1
    answer.seat.leave(answer.seat.read_ns + due)
    match fault:
        case "cut" | "reset":
            yield Send(due, "body", head + body[: len(body) // 2])
            yield Send(due, "close" if fault == "cut" else "abort")
        case "no_answer":
            yield Send(due, "close")
        case "stall":
            yield Send(due + _stall_ns(answer), "close")
        case "stall_after_headers":
            yield Send(due, "head", head)
            yield Send(due + _stall_ns(answer), "close")
        case "slow_loris":
            yield Send(due, "head", head)
            yield from _dripped(answer, due, body)
        case "endless":
            yield Send(due, "head", head)
            parts = Framing(frozenset()).writes([body[: len(body) // 2]]), Framing(frozenset()).writes([b" and so on"])
            yield from _endless(answer, due, parts[0][0], parts[1][0])
        case _:
            yield Send(due, "body", head + body, rest)
            if fault == "lying_length":
                yield Send(due, "close")


def streamed(answer: Answer, head: bytes, framing: Framing) -> Iterator[Send]:
    """The writes of a stream: headers, role chunk, tokens as the profile gathers them, and one for the end."""
    script, fault = (answer.script or Script)(answer), answer.fault
    early = answer.profile.early_role and "late_headers" not in answer.shape.mutants
    if fault in ("stall_before_headers", "no_answer"):
        yield Send(_stall_ns(answer) if fault == "stall_before_headers" else 0, "close")
        return
    if early:
        yield Send(0, "head", head)
        if fault != "stall_after_headers":
            yield from _writes(framing, 0, "role", script.roles())
    yield _SLOT
    dues = answer.dues()
    first = next(dues)
    if not early:
        yield Send(first, "head", head)
    if fault == "stall_after_headers":
        yield Send(first + _stall_ns(answer), "close")
        return
    roles = [] if early else script.roles()
    if fault == "slow_loris":
        events = [*roles, *(event for event, _ in script.tokens(0, answer.steps)), *script.ends()]
        yield from _dripped(answer, first, b"".join(framing.writes(events)) + framing.end())
        return
    yield from _writes(framing, first, "role", roles)
    broken = answer.rng.randrange(answer.steps + 1) if fault in _INSIDE else answer.steps
    due = first
    for send in _tokens(answer, script, framing, (0, broken), first, dues):
        due = send.due_ns
        yield send
    if fault in _INSIDE:
        yield from _broken(answer, script, framing, due, broken, dues)
        return
    if fault == "endless":
        yield from _endless(answer, due, b"", b"".join(framing.writes([script.more(" and so on")])))
    yield from _end(answer, script, framing, due)


def _tokens(
    answer: Answer, script: Script, framing: Framing, steps: tuple[int, int], first: int, dues: Iterator[int]
) -> Iterator[Send]:
    """The tokens of the steps from the first to before the second number, gathered into writes.

    ``first`` is when the first of them is due, ``dues`` the rest. As few as can be are asked for before they are
    needed: in a batch a due time depends on who else is in it then.
    """
    profile = answer.profile
    burst, size, most, window = profile.burst, profile.tokens_per_chunk, profile.events_per_write, profile.coalesce_ms
    size = max(size, _COARSE * ("coarse_chunks" in answer.shape.mutants))
    window_ns = float("inf") if "buffered_stream" in answer.shape.mutants else round(window * 1e6)
    if burst == size == most == 1 and not window_ns and framing.plain and not steps[0]:
        chunks = script.plain()
        if chunks is not None:
            yield from _plain(profile, islice(chunks, steps[1]), first, dues)
            return
    ahead = bool(window_ns) or most > 1 or not profile.itl_ms
    limit = most if most > 1 else answer.steps if window_ns else _MOST_EVENTS
    held: list[bytes] = []
    tokens, opened, due, at, start = 0, 0, first, first, steps[0]
    for step in range(*steps):
        if step > steps[0]:
            at = next(dues)
        if step % burst == 0 or step == steps[0]:
            due = at
        if (step + 1) % size and step + 1 < steps[1]:
            continue
        if held and (due > opened + window_ns if window_ns else most == 1 and due > opened):
            yield from _writes(framing, opened + int(window_ns), "token", held, tokens)
            held, tokens = [], 0
        if not held:
            opened = due
        for event, count in script.tokens(start, step):
            held.append(event)
            tokens += count
        start = step + 1
        if len(held) >= limit or not (ahead or (step + 1) % burst):
            yield from _writes(framing, due, "token", held, tokens)
            held, tokens = [], 0
    if held:
        yield from _writes(framing, due, "token", held, tokens)


def _plain(profile: Profile, chunks: Iterator[bytes], first: int, dues: Iterator[int]) -> Iterator[Send]:
    """A write for each token; or, where all are due at once, as few as can be."""
    if not profile.itl_ms:
        while held := list(islice(chunks, _MOST_EVENTS)):
            yield Send(first, "token", b"".join(held), len(held))
        return
    due = first
    for number, chunk in enumerate(chunks):
        if number:
            due = next(dues)
        yield Send(due, "token", chunk, 1)


def _writes(framing: Framing, due: int, kind: Kind, events: list[bytes], tokens: int = 0) -> Iterator[Send]:
    if not events:
        return
    *firsts, last = framing.writes(events)
    for data in firsts:
        yield Send(due, kind, data)
    yield Send(due, kind, last, tokens)


def _broken(
    answer: Answer, script: Script, framing: Framing, due: int, broken: int, dues: Iterator[int]
) -> Iterator[Send]:
    """The rest of a stream whose fault comes before step ``broken``."""
    match answer.fault:
        case "cut":
            yield Send(due, "close")
        case "reset":
            yield Send(due, "abort")
        case "stall":
            yield Send(due + _stall_ns(answer), "close")
        case "inband_error":
            yield Send(due, "end", b"".join(framing.writes([script.failure(ENGINE_DIED)])) + framing.end())
        case fault:
            odd = script.broken() if fault == "malformed" else script.more("x" * answer.profile.giant_bytes)
            yield from _writes(framing, due, "token", [odd])
            if broken < answer.steps:
                following = next(dues) if broken else due
                for send in _tokens(answer, script, framing, (broken, answer.steps), following, dues):
                    due = send.due_ns
                    yield send
            yield from _end(answer, script, framing, due)


def _end(answer: Answer, script: Script, framing: Framing, due: int) -> Iterator[Send]:
    """Finish reasons, usage, [DONE] and the end of the HTTP body, in one write."""
    answer.seat.leave(answer.seat.read_ns + due)
    events = script.ends()
    if "error_and_done" in answer.shape.mutants:
        events.insert(0, script.failure(ENGINE_DIED))
    *firsts, data = framing.writes(events)
    for piece in firsts:
        yield Send(due, "end", piece)
    if "late_close" in answer.shape.mutants:
        yield Send(due, "end", data)
        yield Send(due + _LATE_CLOSE_NS, "end", framing.end())
    else:
        yield Send(due, "end", data + framing.end())
    if answer.fault == "lying_length":
        yield Send(due, "close")


def _dripped(answer: Answer, due: int, data: bytes) -> Iterator[Send]:
    """A byte at a time; the engine itself is done long before."""
    answer.seat.leave(answer.seat.read_ns + due)
    for number in range(len(data)):
        yield Send(due + round(number * answer.profile.drip_ms * 1e6), "end", data[number : number + 1])


def _endless(answer: Answer, due: int, start: bytes, again: bytes) -> Iterator[Send]:
    """The same again and again, until the client has had enough."""
    yield Send(due, "token", start)
    while True:
        due += max(_ENDLESS_NS, round(answer.profile.itl_ms * 1e6))
        yield Send(due, "token", again, 1)


def _stall_ns(answer: Answer) -> int:
    return round(answer.profile.stall_s * 1e9)
