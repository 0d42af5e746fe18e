"""Probes of the headers of answers, most of them read off whatever the run sent."""

import re
from collections import Counter
from collections.abc import Iterator

from harness.conformance import Capture, Check, Seen, Untestable, accepted, chat, check, probe
from harness.conformance.plain import HELLO, STREAM

IDS = (
    *("x-request-id", "request-id", "x-generation-id", "mistral-correlation-id", "apim-request-id"),
    *("x-amzn-requestid", "x-goog-request-id", "x-correlation-id", "x-trace-id"),
)
"""Headers under which services give a request its name."""
SLACK_MS = 50
"""By how much a server's own time may be beyond the client's: they are rounded, and begin at different moments."""
_DURATION = re.compile(r"(?:^|;)\s*dur=([0-9.]+)")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)

CLIENT = chat(
    "http_client_headers",
    "a plain request with headers that official clients may send",
    HELLO,
    cap=8,
    surface="http",
    send={"headers": {"OpenAI-Organization": "org-harness-probe", "OpenAI-Project": "proj_harness_probe"}},
)


@probe(
    "http.request_id",
    title="Names every request",
    severity="common",
    basis="eco",
    over="run",
    needs=("chat.basic",),
    spec="API reference: debugging requests; openai-python: _request_id",
    faults={"no_request_id": "partial", "no_error_request_id": "partial", "same_request_id": "partial"},
)
def request_id(seen: Seen) -> Iterator[Check]:
    """Every answer and every error has a header x-request-id, or a peer of it, and no two have the same."""
    found = [(capture, _name_of(capture)) for capture in seen.everything()]
    times = Counter(name for _, name in found if name)
    for capture, name in found:
        yield check("x-request-id", bool(name), "a name", f"none in {capture.status}", must=False, of=capture)
        yield check("names are unique", times[name] <= 1 or not name, "each name once", name, must=False, of=capture)


@probe(
    "http.json_charset",
    title="Writes JSON in UTF-8",
    severity="common",
    over="run",
    needs=("chat.basic",),
    spec="RFC 8259, 8.1",
    faults={"latin1_charset": "partial"},
)
def json_charset(seen: Seen) -> Iterator[Check]:
    """Every JSON body is valid UTF-8, and where its content type names a charset, that is utf-8."""
    found = [capture for capture in seen.everything() if capture.media_type.endswith("json") and capture.body]
    found = [capture for capture in found if capture.attempt.exchange.failure is None]
    if not found:
        raise Untestable("evidence", "no body is declared as JSON")
    for capture in found:
        yield check("UTF-8", _is_utf8(capture.body), "valid UTF-8", repr(capture.body[:60]), of=capture)
        named = _CHARSET.search(capture.header("content-type"))
        right = named is None or named[1].lower() in ("utf-8", "utf8")
        yield check("charset", right, "utf-8", capture.header("content-type"), must=False, of=capture)


@probe(
    "http.client_headers",
    title="Takes the headers of official clients",
    sees=(CLIENT,),
    severity="common",
    basis="eco",
    needs=("chat.basic",),
    spec="API reference: authentication; openai-python: OpenAI-Organization, OpenAI-Project, X-Stainless-*",
    faults={"reject_client_headers": "rejected"},
)
def client_headers(seen: Seen) -> Iterator[Check]:
    """A request with OpenAI-Organization, OpenAI-Project and X-Stainless-* is answered like one without them."""
    yield from accepted(seen[CLIENT])


@probe(
    "http.processing_ms",
    title="Tells how long it worked",
    severity="ext",
    basis="observed",
    over="run",
    needs=("chat.basic",),
    spec="API reference: debugging requests; W3C Server Timing",
    faults={"no_processing_ms": "partial", "long_processing": "partial"},
)
def processing_ms(seen: Seen) -> Iterator[Check]:
    """openai-processing-ms or Server-Timing of every answer is a time within what the client waited for its headers."""
    for capture in seen.everything():
        if capture.status != 200:
            continue
        told = capture.header("openai-processing-ms") or ",".join(_DURATION.findall(capture.header("server-timing")))
        yield check("a time", bool(told), "openai-processing-ms", "no such header", must=False, of=capture)
        if not told:
            continue
        try:
            longest = max(float(each) for each in told.split(","))
        except ValueError:
            yield check("a number", False, "milliseconds", told, must=False, of=capture)  # noqa: FBT003 - it is none
            continue
        marks = capture.attempt.exchange.marks
        if marks.hdr_ns is not None and marks.send0_ns is not None:
            waited = (marks.hdr_ns - marks.send0_ns) / 1e6
            within = longest <= waited + SLACK_MS
            yield check("within the client's time", within, f"at most {waited:.0f}", told, must=False, of=capture)


@probe(
    "http.no_buffer_hint",
    title="Asks proxies not to buffer streams",
    sees=(STREAM,),
    severity="ext",
    basis="eco",
    needs=("chat.basic",),
    spec="RFC 9111, 5.2.2; nginx: X-Accel-Buffering",
    faults={"no_cache_control": "partial"},
)
def no_buffer_hint(seen: Seen) -> Iterator[Check]:
    """A stream comes with Cache-Control no-cache, no-store or no-transform, or with X-Accel-Buffering no."""
    capture = seen[STREAM]
    if capture.status != 200 or capture.media_type != "text/event-stream":
        raise Untestable("evidence", "no stream came")
    control = {word.strip().lower() for word in capture.header("cache-control").split(",")}
    hinted = control & {"no-cache", "no-store", "no-transform"} or capture.header("x-accel-buffering").lower() == "no"
    yield check("a hint", bool(hinted), "Cache-Control: no-cache", ", ".join(control) or "none", must=False)


def _name_of(capture: Capture) -> str:
    return next((capture.header(name) for name in IDS if capture.header(name)), "")


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


PROBES = (
    request_id,
    json_charset,
    client_headers,
    processing_ms,
    no_buffer_hint,
)
