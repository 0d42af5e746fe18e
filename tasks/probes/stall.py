"""A probe of streams that stand still."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from harness.conformance import Capture, Check, Seen, Untestable, check, probe
from harness.conformance.plain import STREAM, TWIN_STREAM

STALL_S = 60.0
"""After so long clients and proxies have given up."""
PAUSE_S = 5.0
"""A pause that a person takes for the end."""
UNUSUAL = 20
"""How many times as long as its other gaps the longest one of a stream must be, to be a pause and no slow model."""


@probe(
    "stall.guard",
    title="Streams without standing still",
    sees=(STREAM, TWIN_STREAM),
    severity="common",
    basis="eco",
    ability="T",
    over="run",
    needs=("chat.basic",),
    spec="Reverse proxies end what is silent for 60 s",
    threads=("deepseek-ai/DeepSeek-V3#1608",),
    answers=("timeout_idle",),
    faults={"pauses": "partial"},
)
def guard(seen: Seen) -> Iterator[Check]:
    """No stream stands still for 60 s once it has begun, nor for 5 s where that is 20 times its usual gap."""
    told = 0
    for capture in seen.everything():
        if not capture.attempt.request.stream or not capture.chunks:
            continue
        told += 1
        longest, usual = _gaps(capture, seen.endpoint.provider.deadlines.idle_s)
        yield check("no stall", longest < STALL_S, f"less than {STALL_S:g} s", f"{longest:.1f} s", of=capture)
        fluent = longest < PAUSE_S or longest < UNUSUAL * usual
        yield check("no pause", fluent, f"less than {PAUSE_S:g} s", f"{longest:.1f} s", must=False, of=capture)
    if not told:
        raise Untestable("evidence", "no stream began")


def _gaps(capture: Capture, idle_s: float) -> tuple[float, float]:
    """The longest gap between two reads of a stream and the median of the others, in seconds.

    A stream that the harness gave up had a gap of the deadline at its end.
    """
    exchange = capture.attempt.exchange
    times = [read.at_ns for read in exchange.reads]
    gaps = sorted((after - before) / 1e9 for before, after in pairwise(times))
    if exchange.failure is not None and exchange.failure.kind == "timeout_idle":
        gaps.append(idle_s)
    if not gaps:
        return 0.0, 0.0
    longest = max(gaps)
    gaps.remove(longest)
    return longest, median(gaps) if gaps else 0.0


PROBES = (guard,)
