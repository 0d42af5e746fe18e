"""Probes of headers and transport: what no simulated fault shows, and that no answer makes a judge fail."""

from __future__ import annotations

from typing import Any

import pytest
from recorded import taken, verdict
from simulated import ROOT
from test_probes_errors import GARBAGE
from transcripts import ENDPOINT, Reply, captures, chunk, completion, error, events

from harness.catalog import discover
from harness.conformance import Capture, Probe, judge_all, scenarios_of
from harness.exchange import WireMarks

PROBES = discover([ROOT / "tasks" / "probes"]).probes
MINE = [probe for probe in PROBES.values() if probe.surface == "http"]
SAID = completion()
WHOLE = (chunk({"role": "assistant", "content": "Hi"}), chunk({}, finish="stop"), "[DONE]")


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("probe", MINE, ids=lambda probe: probe.id)
def test_no_answer_makes_a_judge_fail(probe: Probe, garbage: str) -> None:
    """Whatever comes is judged, as JSON or as anything else."""
    scenarios = [scenario.name for scenario in scenarios_of([probe])] or ["some_scenario"]
    (found,) = judge_all([probe], captures(dict.fromkeys(scenarios, GARBAGE[garbage])), ENDPOINT)
    assert not found.reason.startswith("probe:"), found


def headed(**headers: str) -> Capture:
    """An answer with these headers, of which the first was waited for 100 ms."""
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    marks = WireMarks(send0_ns=0, hdr_ns=100_000_000)
    return taken(Reply(SAID, headers={"content-type": "application/json", **told}), marks=marks)


def at(second: float, *, reused: bool = False, stream: bool = False, **headers: str) -> Capture:
    """A chat of a tenth of a second."""
    marks = WireMarks(send0_ns=round(second * 1e9), eof_ns=round((second + 0.1) * 1e9))
    body = events(*WHOLE).body if stream else SAID
    return taken(
        Reply(body, headers={"content-type": "text/any", **headers}), stream=stream, reused=reused, marks=marks
    )


def streamed(*data: Any, failure: Any = None) -> Capture:
    """A stream that ended with a failure, or without."""
    return taken(Reply(events(*data).body, headers={"content-type": "text/event-stream"}, failure=failure), stream=True)


def preflight(status: int = 204, **headers: str) -> list[Capture]:
    """What a browser's question was answered."""
    told = {f"access-control-allow-{name}": text for name, text in headers.items()}
    reply = Reply(b"", status, told)
    return [taken(reply, name, method="OPTIONS") for name in ("http_preflight", "http_origin")]


ORIGIN = "https://page-of-a-stranger.example"
LIMITS = {"x_ratelimit_limit_tokens": "9", "x_ratelimit_remaining_tokens": "7", "x_ratelimit_reset_tokens": "1m2.5s"}
WORDY = {**LIMITS, "x_ratelimit_limit_tokens": "lots"}
CASES: dict[str, tuple[str, list[Capture], str, str]] = {
    "a peer of x-request-id": ("http.request_id", [headed(x_generation_id="gen-1")], "supported", ""),
    "utf-8 in capitals": (
        "http.json_charset",
        [headed(content_type='application/json; charset="UTF-8"')],
        "supported",
        "",
    ),
    "JSON that is no UTF-8": (
        "http.json_charset",
        [taken(Reply(b'{"a": "\xe9"}'))],
        "broken",
        "UTF-8",
    ),
    "no JSON": ("http.json_charset", [streamed(*WHOLE)], "untestable", "evidence"),
    "two requests": ("http.keep_alive", [at(0), at(1)], "untestable", "too few"),
    "a run of a moment": ("http.keep_alive", [at(0), at(0.01), at(0.02)], "untestable", "before the harness trusts"),
    "a moment that closes": (
        "http.keep_alive",
        [at(0.01 * n, connection="close") for n in range(3)],
        "partial",
        "again",
    ),
    "never again": ("http.keep_alive", [at(n) for n in range(4)], "partial", "again"),
    "kept": ("http.keep_alive", [at(0), at(1, reused=True, stream=True), at(2, reused=True)], "supported", ""),
    "not after a stream": (
        "http.keep_alive",
        [at(0), at(1, reused=True, stream=True), at(2), at(3, reused=True)],
        "partial",
        "after a stream",
    ),
    "cut in the middle": ("http.chunk_framing", [streamed(WHOLE[0], failure="truncated")], "untestable", "evidence"),
    "cut behind the end": ("http.chunk_framing", [streamed(*WHOLE, failure="truncated")], "broken", "truncated"),
    "bad chunks": ("http.chunk_framing", [streamed(WHOLE[0], failure="bad_http")], "broken", "bad_http"),
    "hung up by us": ("http.chunk_framing", [streamed(WHOLE[0], failure="abandoned")], "untestable", "evidence"),
    "Server-Timing": ("http.processing_ms", [headed(server_timing="db;dur=1, total;dur=90.5")], "supported", ""),
    "longer than we waited": ("http.processing_ms", [headed(openai_processing_ms="500")], "partial", "500"),
    "a time in words": ("http.processing_ms", [headed(openai_processing_ms="soon")], "partial", "number"),
    "limits of tokens alone": ("http.ratelimit", [headed(**LIMITS)], "supported", ""),
    "no reset": ("http.ratelimit", [headed(**{**LIMITS, "x_ratelimit_reset_tokens": ""})], "partial", "reset"),
    "limits in words": (
        "http.ratelimit",
        [headed(**{**LIMITS, "x_ratelimit_limit_tokens": "lots"})],
        "partial",
        "numbers",
    ),
    "one answer": ("http.ratelimit_moves", [headed(**LIMITS)], "untestable", "evidence"),
    "below the limit": ("http.ratelimit_moves", [headed(**LIMITS)] * 2, "supported", ""),
    "everything allowed": (
        "http.cors_preflight",
        preflight(origin="*", headers="Authorization, Content-Type", methods="POST"),
        "supported",
        "",
    ),
    "a star for headers": ("http.cors_preflight", preflight(origin="*", headers="*"), "partial", "headers"),
    "no such page": ("http.cors_preflight", preflight(headers="authorization,*"), "partial", "origin"),
    "a preflight that wants a key": ("http.cors_preflight", preflight(401), "rejected", "401"),
    "a mirror without credentials": ("http.cors_no_reflect", preflight(origin=ORIGIN), "supported", ""),
    "a mirror with credentials": (
        "http.cors_no_reflect",
        preflight(origin=ORIGIN, credentials="true"),
        "broken",
        ORIGIN,
    ),
    "a crash in gzip": ("http.gzip_request", [taken(Reply(b"", 500), "http_gzip_request")], "broken", "500"),
    "an unknown organisation": (
        "http.client_headers",
        [taken(error("no such organization", 401), "http_client_headers")],
        "untestable",
        "auth",
    ),
    "a redirect": ("http.trailing_slash", [taken(Reply(b"", 307), "http_trailing_slash")], "supported", ""),
    "not buffered": (
        "http.no_buffer_hint",
        [
            taken(
                Reply(events(*WHOLE).body, headers={"content-type": "text/event-stream", "x-accel-buffering": "no"}),
                "stream_plain",
                stream=True,
            )
        ],
        "supported",
        "",
    ),
    "no stream": ("http.no_buffer_hint", [taken(Reply(SAID), "stream_plain")], "untestable", "evidence"),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: str) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    name, seen, expected, says = CASES[case]
    found = verdict(PROBES[name], *seen)
    assert found.verdict == expected, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_key_belongs_to_its_request() -> None:
    """The same request has the same Idempotency-Key every time, and another endpoint's has another one."""
    (scenario,) = PROBES["http.idempotency_key"].sees
    first, second = (scenario.build(ENDPOINT, repeat) for repeat in range(2))
    assert first == second
    assert len(first.headers["Idempotency-Key"]) == 40
