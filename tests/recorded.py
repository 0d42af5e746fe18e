"""Recorded exchanges of which the request matters too: what was sent where, over which connection, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from transcripts import ENDPOINT, Reply

from harness.conformance import Capture, Probe, judge_all
from harness.exchange import Read, StreamMarks, WireMarks
from harness.types import Method, Verdict
from harness.wire.assemble import assemble


def taken(
    reply: Reply,
    scenario: str = "some_scenario",
    repeat: int = 0,
    *,
    sent: Mapping[str, Any] | None = None,
    path: str = "/chat/completions",
    method: Method = "POST",
    stream: bool = False,
    reused: bool = False,
    marks: WireMarks | None = None,
    reads_s: Sequence[float] | None = None,
) -> Capture:
    """A capture of one reply; ``reads_s``: its body came in so many pieces at these times, in seconds."""
    made = reply.capture(scenario, repeat)
    exchange = replace(made.attempt.exchange, reused=reused, marks=marks or WireMarks())
    if reads_s is not None:
        size = len(exchange.body) // len(reads_s) + 1
        pieces = [exchange.body[at * size : (at + 1) * size] for at in range(len(reads_s))]
        exchange = replace(
            exchange, reads=tuple(Read(round(at * 1e9), data) for at, data in zip(reads_s, pieces, strict=True))
        )
    body = json.dumps(sent or {}).encode()
    request = replace(made.attempt.request, path=path, method=method, body=body, stream=stream)
    outcome = replace(made.outcome, completion=assemble(exchange, stream=stream).completion)
    return Capture(replace(made.attempt, request=request, exchange=exchange), outcome)


def spoken_at(capture: Capture, first_s: float, last_s: float) -> Capture:
    """The capture of a stream with its first and last output at these times, in seconds."""
    assert capture.outcome.completion is not None
    marks = StreamMarks(tok1_ns=round(first_s * 1e9), tokn_ns=round(last_s * 1e9))
    return Capture(
        capture.attempt, replace(capture.outcome, completion=replace(capture.outcome.completion, marks=marks))
    )


def verdict(probe: Probe, *captures: Capture) -> Verdict:
    """What one probe says of captures."""
    found: dict[str, list[Capture]] = {}
    for capture in captures:
        found.setdefault(capture.scenario, []).append(capture)
    (one,) = judge_all([probe], found, ENDPOINT)
    return one
