"""Probes of how connections are kept and bodies framed, read off whatever the run sent."""

from collections.abc import Iterator
from itertools import pairwise

from harness.conformance import DONE, Capture, Check, Seen, Untestable, check, probe
from harness.conformance.plain import STREAM, TWIN, TWIN_STREAM

ENOUGH = 3
"""Requests of which one may be expected to find a kept connection."""
PATIENCE_NS = 200_000_000
"""The harness itself trusts a connection only once the server was seen to keep one for a while."""


@probe(
    "http.keep_alive",
    title="Keeps connections",
    sees=(STREAM, TWIN_STREAM, TWIN),
    severity="common",
    over="run",
    needs=("chat.basic",),
    spec="RFC 9112, 9.3",
    faults={"lying_length": "partial", "close_after_stream": "partial", "no_keep_alive": "partial"},
)
def keep_alive(seen: Seen) -> Iterator[Check]:
    """Of requests one after another some come over a kept connection, also after a stream."""
    sent = [capture for capture in seen.everything() if capture.attempt.exchange.marks.send0_ns is not None]
    sent.sort(key=lambda capture: capture.attempt.exchange.marks.send0_ns or 0)
    if len(sent) < ENOUGH:
        raise Untestable("evidence", f"{len(sent)} requests are too few to tell")
    first = next((number for number, capture in enumerate(sent) if capture.attempt.exchange.reused), None)
    times = [capture.attempt.exchange.marks.send0_ns or 0 for capture in sent]
    if first is None and not all(map(_closes, sent)) and times[-1] - times[0] < PATIENCE_NS:
        raise Untestable("evidence", "the run was over before the harness trusts a connection")
    hint = next((capture.header("connection") for capture in sent if capture.header("connection")), "no hint of it")
    yield check("a connection is used again", first is not None, "one kept", hint, must=False)
    pairs = [pair for pair in pairwise(sent[first or 0 :]) if _follows_stream(*pair)]
    kept = first is None or not pairs or any(after.attempt.exchange.reused for _, after in pairs)
    streams = [capture for capture in sent if capture.streamed]
    kept = kept and not (streams and all(map(_closes, streams)))
    yield check("also after a stream", kept, "one kept", "a new one each time", must=False)


@probe(
    "http.chunk_framing",
    title="Frames streams to their end",
    sees=(STREAM,),
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="RFC 9112, 7.1 and 8",
    answers=("truncated",),
    faults={"no_last_chunk": "broken", "lying_encoding": "broken", "lying_length": "broken"},
)
def chunk_framing(seen: Seen) -> Iterator[Check]:
    """The HTTP body of every stream is framed as the protocol wants it, and ends where its last event does."""
    found = [capture for capture in seen.everything() if capture.attempt.request.stream and capture.status == 200]
    told = 0
    for capture in found:
        failure = capture.attempt.exchange.failure
        whole = any(event.data.strip() == DONE for event in capture.events) or capture.finish_reason is not None
        # A stream cut in its middle may have met a bad network; one that had said all was not framed to its end.
        if failure is not None and failure.kind not in ("bad_http", "truncated"):
            continue
        if failure is not None and failure.kind == "truncated" and not whole:
            continue
        told += 1
        yield check("framing", failure is None, "a body that ends", failure and failure.detail, of=capture)
    if not told:
        raise Untestable("evidence", "no stream came to its end")


def _closes(capture: Capture) -> bool:
    return "close" in capture.header("connection").lower()


def _follows_stream(before: Capture, after: Capture) -> bool:
    """Whether one request was sent after the end of the other, and that was a stream."""
    ended, sent = before.attempt.exchange.marks.eof_ns, after.attempt.exchange.marks.send0_ns
    return before.streamed and ended is not None and sent is not None and ended <= sent


PROBES = (keep_alive, chunk_framing)
