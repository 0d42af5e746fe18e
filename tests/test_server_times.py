"""What servers say that they measured themselves is read where their provider's quirks say."""

from __future__ import annotations

import pytest

from harness.exchange import Exchange, Read, WireMarks
from harness.provider import Naming
from harness.report.summary.server_times import lines
from harness.store.identity import server_times


def exchange(body: bytes, headers: dict[str, str] | None = None) -> Exchange:
    """An answer with this body."""
    return Exchange(WireMarks(), 200, tuple((headers or {}).items()), (Read(1, body),), "kernel", reused=False)


GROQ = {"queue_ms": "usage.queue_time * 1000", "prefill_ms": "usage.prompt_time * 1000"}
"""https://console.groq.com/docs, the usage object of a chat completion; seconds."""


@pytest.mark.parametrize(
    ("where", "body", "headers", "told"),
    [
        (GROQ, b'{"usage": {"queue_time": 0.02, "prompt_time": 0.0015}}', {}, {"queue_ms": 20, "prefill_ms": 1.5}),
        (
            GROQ,
            b'data: {"usage": {"queue_time": 0.01}}\n\ndata: {"usage": {"queue_time": 0.03}}\n\ndata: [DONE]\n\n',
            {},
            {"queue_ms": 30},
        ),
        ({"ttft_ms": "header:X-First"}, b"{}", {"x-first": "12.5"}, {"ttft_ms": 12.5}),
        ({"ttft_ms": "header:x-first * 1000"}, b"{}", {"x-first": "soon"}, None),
        ({"prefill_ms": "timings.prompt_ms"}, b'{"timings": {"prompt_ms": 3}}', {}, {"prefill_ms": 3}),
        ({"prefill_ms": "timings.prompt_ms"}, b'{"timings": {"prompt_ms": true}}', {}, None),
        ({"prefill_ms": "timings.prompt_ms"}, b'{"timings": {"prompt_ms": -1}}', {}, None),
        ({"prefill_ms": "timings.prompt_ms"}, b'{"timings": {"prompt_ms": "nan"}}', {}, None),
        ({"prefill_ms": "timings.prompt_ms"}, b'{"timings": [1]}', {}, None),
        ({"prefill_ms": "timings.prompt_ms"}, b'"prompt_ms" and no JSON', {}, None),
        ({}, b'{"usage": {"queue_time": 0.02}}', {}, None),
    ],
)
def test_its_own_times_are_read_in_milliseconds(
    where: dict[str, str], body: bytes, headers: dict[str, str], told: dict[str, float] | None
) -> None:
    """From the body, the last chunk that has them, or a header; what is no time is none, never 0."""
    assert server_times(exchange(body, headers), Naming(server_timing=where)) == told


def test_a_line_says_whose_figures_they_are() -> None:
    """They stand apart from what was measured here."""
    found = [{"endpoint": "a/m", "stage": "s@c1", "name": "queue_ms", "n": 5, "p50_ms": 1.25, "p95_ms": 2.0}]
    assert list(lines(found)) == ["a/m says of itself in s@c1, p50: queue 1.2 ms"]
