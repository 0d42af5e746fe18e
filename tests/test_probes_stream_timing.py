"""The probes of when a stream comes: on made-up times, and on servers that take their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from simulated import ROOT, simulator, verdicts
from transcripts import ENDPOINT, Reply, chunk, events

from harness.catalog import discover
from harness.conformance import Capture, judge_all
from harness.exchange import Failure, FailureKind, Read
from harness.types import Verdict
from harness.wire.assemble import assemble

PROBES = discover([ROOT / "tasks" / "probes"]).probes
STOP = chunk({}, finish="stop")


def words(number: int) -> Reply:
    """A stream of so many words, each in its chunk."""
    return events(*(chunk({"content": "word "}) for _ in range(number)), STOP, "[DONE]")


def at(
    times_ms: Sequence[float],
    reply: Reply | None = None,
    *,
    hdr_ms: float = 0,
    eof_ms: float | None = None,
    failure: FailureKind | None = None,
) -> Capture:
    """A stream whose n-th event came so many ms after the request, those beyond with the last one; 200 words."""
    reply = reply or words(200)
    parts = [part + b"\n\n" for part in reply.body.removesuffix(b"\n\n").split(b"\n\n")]
    late = [*times_ms, *[times_ms[-1]] * (len(parts) - len(times_ms))]
    capture = reply.capture("made up")
    exchange = replace(
        capture.attempt.exchange,
        reads=tuple(Read(int(ms * 1e6), part) for ms, part in zip(late, parts, strict=True)),
        marks=replace(
            capture.attempt.exchange.marks,
            send0_ns=0,
            hdr_ns=int(hdr_ms * 1e6),
            eof_ns=None if eof_ms is None else int(eof_ms * 1e6),
        ),
        failure=Failure(failure, "gave up") if failure else None,
    )
    return Capture(replace(capture.attempt, exchange=exchange), assemble(exchange, stream=True))


def judged(name: str, *taken: Capture) -> Verdict:
    """What one probe says of captures of each scenario that it sees."""
    probe = PROBES[name]
    return judge_all([probe], {scenario.name: taken for scenario in probe.sees}, ENDPOINT)[0]


STEADY = [100.0 + 10 * n for n in range(200)]


@pytest.mark.parametrize(
    ("why", "capture", "verdict"),
    [
        ("a token every 10 ms", at(STEADY), "supported"),
        ("a slow prefill, then 3,000 tokens a second", at([9000 + n / 3 for n in range(200)]), "supported"),
        ("four bursts of 50 tokens", at([500 * (1 + n // 50) for n in range(200)]), "partial"),
        ("all at the end", at([2000]), "broken"),
        ("all at the end, in five packets", at([2000 + n // 40 for n in range(200)]), "broken"),
        ("all at once and soon", at([20]), "supported"),
        ("too little said", at([2000], words(20)), "untestable"),
    ],
)
def test_incremental(why: str, capture: Capture, verdict: str) -> None:
    """What was held back is told from a slow start and from a server that is simply fast."""
    for name in ("stream.incremental", "stream.incremental_tools"):
        assert judged(name, capture).verdict == verdict


def test_the_better_sample_counts() -> None:
    """One stream that was held up on its way proves nothing where another one came as it was made."""
    assert judged("stream.incremental", at([2000]), at(STEADY)).verdict == "supported"


@pytest.mark.parametrize(
    ("eof_ms", "failure", "verdict"),
    [(60, None, "supported"), (3000, None, "broken"), (None, "timeout_total", "broken"), (None, None, "untestable")],
)
def test_closes(eof_ms: float | None, failure: Any, verdict: str) -> None:
    """A body that goes on after [DONE] is told, also where we gave up waiting for its end."""
    assert judged("stream.closes", at([50], eof_ms=eof_ms, failure=failure)).verdict == verdict


@pytest.mark.parametrize(
    ("hdr_ms", "first_ms", "verdict"), [(10, 1000, "supported"), (990, 1000, "partial"), (100, 100, "supported")]
)
def test_headers_early(hdr_ms: float, first_ms: float, verdict: str) -> None:
    """Headers that come with the first token after a long wait are told, after a short one they are not."""
    capture = at([first_ms + 10 * n for n in range(200)], hdr_ms=hdr_ms)
    assert judged("stream.headers_early", capture).verdict == verdict


def test_silence() -> None:
    """Half a minute and more without a byte is found fault with, unless a comment came meanwhile."""
    found = judged("stream.keepalive", at([40_000 + 10 * n for n in range(200)]))
    assert (found.verdict, found.actual) == ("partial", "40 s")
    kept = words(200)
    kept = replace(kept, body=b": wait\n\n" + kept.body)
    assert judged("stream.keepalive", at([20_000, *(40_000 + n for n in range(200))], kept)).verdict == "supported"


@pytest.mark.parametrize(("size", "verdict"), [(1, "supported"), (40, "supported"), (100, "partial"), (200, "partial")])
def test_granularity(size: int, verdict: str) -> None:
    """Chunks of more than about fifty tokens are told; a word with its space is a little more than one."""
    reply = events(*(chunk({"content": "word " * size}) for _ in range(200 // size)), STOP, "[DONE]")
    assert judged("stream.granularity", reply.capture("made up")).verdict == verdict


def test_on_the_simulator() -> None:
    """A server that takes its time is not accused; one that tells of an error in the stream is right to do so."""
    timed = [PROBES[f"stream.{name}"] for name in ("incremental", "incremental_tools", "headers_early", "closes")]
    mid = replace(PROBES["stream.error_mid"], sees=PROBES["stream.status_type"].sees)
    with simulator() as endpoint:
        slow = verdicts(endpoint, timed, "itl_ms=3,ttft_ms=450")
        assert {one.verdict for one in slow.values()} == {"supported"}, slow
        for fault, verdict in (("fault=inband_error", "supported"), ("mutants=error_and_done", "broken")):
            assert verdicts(endpoint, [mid], fault)["stream.error_mid"].verdict == verdict
