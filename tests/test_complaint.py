"""What HTTP errors are understood as: kind, one line of detail, and how long to wait."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streams.case import CUT, HTML, exchange

from harness.exchange import Failure, Outcome
from harness.wire.assemble import assemble

OVERFLOW = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."


@pytest.mark.parametrize(
    ("status", "body", "kind", "detail"),
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-abcdef123456"}}, "auth", "provided: [key]"),
        (
            403,
            b"<html><title>Attention &amp; wait</title>",
            "auth",
            'HTTP 403 with an HTML page (title "Attention & wait")',
        ),
        (
            429,
            {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
            "throttled",
            "Rate limit reached (rate_limit_exceeded)",
        ),
        (503, b"", "overloaded", "HTTP 503 with an empty body"),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "overloaded",
            "Overloaded (overloaded_error)",
        ),
        (400, {"error": {"message": OVERFLOW, "code": "context_length_exceeded"}}, "context_overflow", "4096 tokens"),
        (400, {"object": "error", "message": OVERFLOW, "code": 400}, "context_overflow", "maximum context length"),
        (
            400,
            {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too big"}},
            "context_overflow",
            "too big (exceed_context_size_error)",
        ),
        (413, {"message": "the request exceeds the available context size"}, "context_overflow", "available context"),
        (500, {"error": f"ValueError: {OVERFLOW}"}, "context_overflow", "ValueError"),
        (413, b"Payload Too Large", "http_4xx", "Payload Too Large"),
        (400, {"error": {"message": "filtered", "code": "content_filter"}}, "content_filter", "filtered"),
        (400, {"error": "model is required"}, "http_4xx", "model is required"),
        (404, {"detail": "Not Found"}, "http_4xx", "Not Found"),
        (
            422,
            {"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]},
            "http_4xx",
            "body.messages: field required",
        ),
        (422, {"detail": {"message": "nested"}}, "http_4xx", "nested"),
        (
            400,
            [{"error": {"code": 400, "message": "bad schema", "status": "INVALID_ARGUMENT"}}],
            "http_4xx",
            "bad schema (INVALID_ARGUMENT)",
        ),
        (400, {"error_code": "BAD_REQUEST", "message": "no"}, "http_4xx", "no (BAD_REQUEST)"),
        (400, {"errors": ["one", {"message": "two"}]}, "http_4xx", "one; two"),
        (
            502,
            {"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "oom"}}},
            "http_5xx",
            "Provider returned error: oom",
        ),
        (502, HTML, "http_5xx", 'HTTP 502 with an HTML page (title "502 Bad Gateway")'),
        (500, b'data: {"error": {"message": "in a stream"}}\n\n', "http_5xx", "in a stream"),
        (500, {"error": {"code": 7}}, "http_5xx", "an error without a message"),
        (500, {}, "http_5xx", "{}"),
        (418, b"line one\r\n\tline\x00 two", "http_4xx", "line one line two"),
        (500, b"\xff" * 1000, "http_5xx", "\ufffd" * 299 + "…"),
    ],
)
def test_http_errors(status: int, body: Any, kind: str, detail: str) -> None:
    """Every known error body gives its failure kind and one short line that holds its words and no key."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    for stream in (False, True):
        outcome = assemble(exchange([(1, raw)] if raw else [], status=status), stream=stream)
        failure = outcome.failure
        assert outcome.completion is None
        assert failure is not None
        assert (failure.kind, failure.status) == (kind, status)
        assert detail in failure.detail
        assert len(failure.detail) <= 300
        assert failure.detail.isprintable()
        assert "abcdef" not in failure.detail


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("retry-after", "20")], 20.0),
        ([("retry-after", "0.5")], 0.5),
        ([("retry-after", "20"), ("retry-after-ms", "1500")], 1.5),
        ([("retry-after", "20"), ("retry-after-ms", "soon")], 20.0),
        ([("retry-after", "Thu, 31 Dec 2026 23:59:59 GMT")], None),
        ([("retry-after", "Thu, 31 Dec 2026 23:59:59 GMT"), ("date", "Thu, 31 Dec 2026 23:59:29 GMT")], 30.0),
        ([("retry-after", "Thu, 31 Dec 2026 23:59:59 GMT"), ("date", "Fri, 01 Jan 2027 00:00:09 GMT")], 0.0),
        ([("retry-after", "Thu, 31 Dec 2026 23:59:59 GMT"), ("date", "soon")], None),
        ([("retry-after", "-1")], None),
        ([("retry-after", "nan")], None),
        ([], None),
    ],
)
def test_retry_after(headers: list[tuple[str, str]], seconds: float | None) -> None:
    """What the server asked for is read in seconds or milliseconds; a date by the server's own."""
    failure = assemble(exchange([(1, b"slow down")], status=429, headers=headers), stream=True).failure
    assert failure == Failure("throttled", "slow down", 429, seconds)


def test_no_answer() -> None:
    """Without a response the transport's fault is the outcome, and a cut error page keeps its status."""
    fault = Failure("connect", "connection refused")
    assert assemble(exchange([], status=None, fault=fault), stream=True) == Outcome(None, fault)
    cut = assemble(exchange([(1, b"slo")], status=429, fault=CUT, headers=[("retry-after", "3")]), stream=True)
    assert cut == Outcome(None, Failure("truncated", CUT.detail, 429, 3.0))
    lost = assemble(exchange([], status=None), stream=True).failure
    assert lost is not None
    assert lost.kind == "bad_http"


def test_redirect() -> None:
    """A redirect is no answer, and its query, which may hold a secret, is not told."""
    moved = exchange([], status=307, headers=[("location", "https://x.example/v1?key=secret")])
    failure = assemble(moved, stream=True).failure
    assert failure is not None
    assert failure.kind == "bad_http"
    assert "https://x.example/v1," in failure.detail
    assert "secret" not in failure.detail
