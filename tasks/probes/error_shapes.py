"""Probes of every error that a run met, whichever request it answered."""

import re
from collections.abc import Iterator

from harness.conformance import (
    MISSHAPEN_ERRORS,
    Capture,
    Check,
    Seen,
    Untestable,
    chat,
    check,
    envelope,
    probe,
)
from harness.conformance.outcome import refusal
from harness.conformance.plain import HELLO

ROUTER = (405, 406, 411, 413, 414, 415, 417, 431)
"""Statuses that a web server gives before an API is reached; no official client waits for their bodies."""
TRACES = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|goroutine \d+ \[|\bat [\w.$]+\([\w.]+:\d+\)"
    r"|thread '[^']*' panicked at|\.(?:py|js|ts|go|rs|cpp|java):\d+"
)
PATHS = re.compile(
    r"(?:^|[\s\"'(=:])/(?:home|root|usr|opt|app|srv|var|workspace|mnt|tmp)/[\w./-]+|site-packages|[A-Z]:\\\\"
)

OVERLOADED = (502, 503, 504, 529)
STREAMED = chat(
    "error_streamed",
    "a stream with the word hot as temperature",
    HELLO,
    cap=8,
    surface="error",
    stream=True,
    temperature="hot",
)


@probe(
    "error.envelope",
    title="Tells its errors in the documented form",
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="OpenAPI: ErrorResponse",
    threads=("openai/openai-node#1746",),
    faults=MISSHAPEN_ERRORS,
)
def in_envelope(seen: Seen) -> Iterator[Check]:
    """Every 4xx has the body {"error": {"message", "type", "param", "code"}}."""
    answering = {capture.path for capture in seen.everything() if 200 <= (capture.status or 0) < 300}
    for capture in _refusals(seen):
        request = capture.attempt.request
        plain = request.method == "POST" and "Content-Encoding" not in request.headers
        if plain and capture.path in answering and capture.status not in ROUTER:
            yield from envelope(capture)
        elif not isinstance(capture.at("error", "message"), str):
            where = f"error body of {capture.attempt.request.method} {capture.path}"
            yield check(where, False, '{"error": {…}}', _told(capture), must=False, of=capture)  # noqa: FBT003 - it is not


@probe(
    "error.code_type",
    title="Gives error codes as words",
    severity="common",
    over="run",
    needs=("error.envelope",),
    spec="OpenAPI: Error.code",
    faults={"int_code": "partial"},
)
def code_type(seen: Seen) -> Iterator[Check]:
    """The code of every error is a string or null."""
    found = [capture for capture in _refusals(seen) if isinstance(capture.at("error"), dict)]
    if not found:
        raise Untestable("evidence", "no error has the documented body")
    for capture in found:
        code = capture.at("error", "code")
        yield check(
            "error.code", code is None or isinstance(code, str), "a string or null", code, must=False, of=capture
        )


@probe(
    "error.json_type",
    title="Declares its errors as JSON",
    sees=(STREAMED,),
    severity="common",
    over="run",
    needs=("chat.basic",),
    spec="RFC 9110, 8.3",
    faults={"html_error": "broken", "plain_error": "partial"},
)
def json_type(seen: Seen) -> Iterator[Check]:
    """Every 4xx is JSON and declared as application/json."""
    for capture in _refusals(seen):
        if capture.status in ROUTER:
            continue
        yield check("JSON", capture.json is not None, "JSON", _told(capture), of=capture)
        told = capture.media_type
        yield check("content type", told == "application/json", "application/json", told, must=False, of=capture)


@probe(
    "error.no_5xx",
    title="Never answers with a server error",
    severity="core",
    basis="observed",
    over="run",
    needs=("chat.basic",),
    spec="RFC 9110, 15.6",
    threads=("ggml-org/llama.cpp#25760", "vllm-project/vllm#35231", "sgl-project/sglang#4440"),
    faults={
        "crash_damaged": "broken",
        "crash_effort": "broken",
        "crash_system_image": "broken",
        "crash_reasoning": "broken",
        "crash_cut": "broken",
        "emb_tokens_500": "broken",
        "emb_empty_500": "broken",
        "cpl_tokens_500": "broken",
        "unpaired_500": "broken",
        "crash_surrogate": "broken",
        "crash_nul": "broken",
        "crash_unknown": "broken",
        "crash_huge_cap": "broken",
        "crash_long_stop": "broken",
        "status_500": "broken",
        "crash_on_type": "broken",
        "crash_on_json": "broken",
        "crash_on_duplicates": "broken",
        "crash_on_zero": "broken",
        "crash_on_slash": "broken",
        "trips_over_errors": "broken",
    },
)
def no_5xx(seen: Seen) -> Iterator[Check]:
    """No request of the whole run is answered with a 5xx, but for 501 and the statuses of an overload."""
    for capture in seen.everything():
        status = capture.status or 0
        fine = status < 500 or status in OVERLOADED or (status == 501 and isinstance(capture.json, (dict, list)))
        yield check(f"{capture.scenario} gets no 5xx", fine, "below 500", refusal(capture), of=capture)


@probe(
    "error.embedded_200",
    title="Hides no error in a 200",
    severity="core",
    basis="eco",
    over="run",
    needs=("chat.basic",),
    spec="RFC 9110, 15.3.1; openai-python: status decides what is raised",
    faults={"key_in_stream": "broken", "error_as_stream": "broken", "status_200": "broken"},
)
def embedded_200(seen: Seen) -> Iterator[Check]:
    """No 200 holds an error in the place of an answer, be it the body or the first event of a stream."""
    for capture in seen.everything():
        if capture.status == 200:
            first = capture.json if isinstance(capture.json, dict) else dict(next(iter(capture.chunks), {}))
            inside = None if first.get("choices") else first.get("error")
            yield check(f"{capture.scenario} is no error", not inside, "no error object", inside, of=capture)


@probe(
    "error.no_internals",
    title="Shows no insides in its errors",
    severity="ext",
    basis="eco",
    over="run",
    needs=("chat.basic",),
    spec="OWASP: Improper Error Handling",
    faults={"trace_in_error": "broken", "path_in_error": "partial"},
)
def no_internals(seen: Seen) -> Iterator[Check]:
    """No 4xx or 5xx holds a stack trace or a path of the server's file system."""
    for capture in seen.everything():
        if (capture.status or 0) < 400:
            continue
        text = capture.body.decode(errors="replace")
        trace, path = TRACES.search(text), PATHS.search(text)
        yield check("no stack trace", trace is None, "none", trace and trace[0], of=capture)
        yield check("no path of the server", path is None, "none", path and path[0], must=False, of=capture)


def _refusals(seen: Seen) -> list[Capture]:
    found = [capture for capture in seen.everything() if 400 <= (capture.status or 0) < 500]
    # A preflight is a browser's question, and is answered before there is an API.
    found = [capture for capture in found if capture.attempt.request.method != "OPTIONS"]
    if not found:
        raise Untestable("evidence", "the run met no 4xx")
    return found


def _told(capture: Capture) -> str:
    return f"{capture.status} {capture.body.decode(errors='replace')}"


PROBES = (in_envelope, code_type, json_type, no_5xx, embedded_200, no_internals)
