"""Probes of when a stream comes: as it is made, with a sign of life, and to an end.

A server that has the whole answer ready at once cannot be seen to hold anything back, so nothing is held against it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from harness.conformance import Capture, Check, Seen, Untestable, chat, check, parse, probe, streams
from harness.conformance.plain import PAINT_TOOL, STREAMS

ONE = ("stream.status_type",)
SHORT_MS = 400
"""An answer that is there within this time cannot be told from one that was held back, and nobody minds."""
PLAUSIBLE_PER_S = 5_000
"""Tokens a second; no server makes one answer faster, so that what comes faster was made before."""
SIGNS_PER_TOKEN = 4
LEAST_SIGNS = 160
"""Text of which a stream is expected to come in several pieces."""
OFTEN = 5
"""Arrivals from which a stream is one."""
SILENCE_S = 30
"""After which proxies and clients on the way take a connection for dead."""
OPEN_S = 2
COARSE = 50
"""Tokens of a chunk with which a reader sees text come in jerks."""

STORY = "Write a story of 200 words about a ship that sails around the whole world."
LONG = chat(
    "stream_long", "a story of 200 words, streamed", STORY, cap=200, surface="stream", stream=True, send={"repeats": 2}
)
LONG_TOOLS = chat(
    "stream_long_tools",
    "the same with a tool that it has no use for",
    STORY,
    cap=200,
    surface="stream",
    stream=True,
    tools=[PAINT_TOOL],
)


class Pace(NamedTuple):
    """How the output of one stream came."""

    wait_ms: float
    """From sending to the first output."""
    span_ms: float
    """From the first output to the last."""
    arrivals: int
    """Times, at least a millisecond apart, at which output came."""
    tokens: float
    """About so many, by the length of the text."""

    @property
    def quick(self) -> bool:
        """Whether all of it was there before anybody could have seen something of it."""
        return self.wait_ms + self.span_ms <= SHORT_MS


def pace(capture: Capture) -> Pace:
    """How the output of a stream came.

    Raises:
        Untestable: there is too little of it, or no times.
    """
    completion, sent = capture.outcome.completion, capture.attempt.exchange.marks.send0_ns
    said = len(capture.text) + len(capture.thinking)
    if said < LEAST_SIGNS:
        raise Untestable("model", f"it wrote {said} characters, too few to see how they come")
    if completion is None or sent is None or not completion.output_ns:
        raise Untestable("evidence", "no times were recorded")
    times = completion.output_ns
    apart = len({(at - times[0]) // 1_000_000 for at in times})
    return Pace((times[0] - sent) / 1e6, (times[-1] - times[0]) / 1e6, apart, said / SIGNS_PER_TOKEN)


def as_made(captures: Sequence[Capture]) -> Iterator[Check]:
    """Checks that output comes as it is made; of several samples the best one counts, for any may be held up."""
    best, capture = max(((pace(one), one) for one in captures), key=lambda pair: (pair[0].quick, pair[0].arrivals))
    told = f"{best.arrivals} arrivals within {best.span_ms:.0f} ms after a wait of {best.wait_ms:.0f} ms"
    made = best.span_ms * PLAUSIBLE_PER_S >= best.tokens * 1000
    yield check("not all at the end", best.quick or made, "chunks as they are made", told, of=capture)
    yield check("several arrivals", best.quick or best.arrivals >= OFTEN, OFTEN, told, must=False, of=capture)


@probe(
    "stream.incremental",
    title="Sends text as it is made",
    sees=(LONG,),
    severity="core",
    basis="eco",
    ability="T",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    faults={"buffered_stream": "broken"},
)
def incremental(seen: Seen) -> Iterator[Check]:
    """200 tokens come at 5 times or more and not faster than a server can make them, or all within 400 ms."""
    yield from as_made(streams(seen))


@probe(
    "stream.incremental_tools",
    title="Sends text as it is made beside unused tools",
    sees=(LONG_TOOLS,),
    basis="eco",
    ability="T",
    needs=("stream.incremental",),
    spec="API reference: chat completions, streaming",
    faults={"buffered_with_tools": "broken"},
)
def incremental_tools(seen: Seen) -> Iterator[Check]:
    """The same holds where the request has a tool that the answer does not call."""
    yield from as_made(streams(seen))


@probe(
    "stream.granularity",
    title="Sends text in small chunks",
    sees=(LONG,),
    severity="ext",
    basis="eco",
    ability="T",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    faults={"coarse_chunks": "partial", "cumulative": "partial"},
)
def granularity(seen: Seen) -> Iterator[Check]:
    """The median chunk of 200 tokens holds at most about 50 of them."""
    for capture in streams(seen):
        sizes = [len(delta["content"]) for delta in capture.deltas() if isinstance(delta.get("content"), str)]
        sizes = [size for size in sizes if size]
        if sum(sizes) < 2 * COARSE * SIGNS_PER_TOKEN:
            raise Untestable("model", f"it wrote {sum(sizes)} characters, too few to see how they come")
        tokens = sorted(sizes)[len(sizes) // 2] / SIGNS_PER_TOKEN
        yield check("small chunks", tokens <= COARSE, f"at most {COARSE}", f"{tokens:.0f}", must=False, of=capture)


@probe(
    "stream.headers_early",
    title="Sends headers before the first token",
    sees=(LONG,),
    severity="ext",
    basis="eco",
    ability="T",
    needs=ONE,
    spec="RFC 9112 section 7",
    faults={"late_headers": "partial"},
)
def headers_early(seen: Seen) -> Iterator[Check]:
    """Where the first token takes longer than 400 ms, the headers come in the first half of that time."""
    waits: list[tuple[float, float]] = []
    for capture in streams(seen):
        marks, wait = capture.attempt.exchange.marks, pace(capture).wait_ms
        if marks.hdr_ns is not None and marks.send0_ns is not None:
            waits.append((wait, (marks.hdr_ns - marks.send0_ns) / 1e6))
    early = any(wait <= SHORT_MS or head <= wait / 2 for wait, head in waits)
    told = ", ".join(f"{head:.0f} of {wait:.0f} ms" for wait, head in waits)
    yield check("headers before tokens", early, "half the wait", told, must=False)


@probe(
    "stream.keepalive",
    title="Keeps a slow stream alive with comments",
    sees=(LONG,),
    severity="ext",
    basis="eco",
    ability="T",
    needs=ONE,
    spec="WHATWG HTML: server-sent events, authoring notes",
    threads=("ai-dynamo/dynamo#408",),
    faults={"comment_as_data": "partial", "empty_data": "partial", "bare_event": "partial"},
)
def keepalive(seen: Seen) -> Iterator[Check]:
    """No 30 s pass without a byte, and what comes to keep a stream alive is a comment, not an event."""
    for capture in streams(seen):
        idle = [event.data for event in capture.events if not event.data.strip() or event.data.startswith(":")]
        idle += [event.data for event in capture.events if event.event == "ping" and parse(event.data) is None]
        bare = "event_without_data" in capture.framing
        yield check("comments", not (idle or bare), ": a comment", idle or "an event without data", must=False)
        marks = capture.attempt.exchange.marks
        times = [at for at in (marks.send0_ns, marks.hdr_ns) if at is not None]
        times += [read.at_ns for read in capture.attempt.exchange.reads]
        longest = max((later - before for before, later in pairwise(times)), default=0) / 1e9
        yield check("a sign of life", longest <= SILENCE_S, f"every {SILENCE_S} s", f"{longest:.0f} s", must=False)


@probe(
    "stream.closes",
    title="Ends the response after [DONE]",
    sees=STREAMS,
    severity="core",
    basis="eco",
    ability="T",
    needs=ONE,
    spec="RFC 9112 section 6.3; official SDK",
    faults={"late_close": "broken"},
)
def closes(seen: Seen) -> Iterator[Check]:
    """The body of most streams ends within 2 s after [DONE]: the official async client reads it to its end."""
    waits: list[float] = []
    for capture in streams(seen):
        done, end = capture.done_ns, capture.attempt.exchange.marks.eof_ns
        if done is not None and (end is not None or capture.attempt.exchange.failure is not None):
            waits.append(float("inf") if end is None else (end - done) / 1e9)
    if not waits:
        raise Untestable("evidence", "no stream came to [DONE], or no times were recorded")
    wait = sorted(waits)[len(waits) // 2]
    yield check("the body ends", wait <= OPEN_S, f"within {OPEN_S} s", f"after {wait:.1f} s")


PROBES = (incremental, incremental_tools, granularity, headers_early, keepalive, closes)
