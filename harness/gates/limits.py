"""A metric against a fixed limit: missed or kept only where the interval of what was measured leaves no doubt.

It is the rule by which a load decides on its own objectives (``harness.stats.slo``): a value on the right side of a
limit that chance alone put there is no proof.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.gates import quantity
from harness.gates.judgement import Case, Verdict
from harness.report.nights.metrics import NightlyMetric, Reading
from harness.report.nights.within_run import intervals
from harness.stats.intervals import Interval, wilson

ALPHA = 0.025
"""One-sided, of the 95 % interval: at most so many metrics that are exactly at their limit are said to miss it."""
_UNKNOWN = Interval(None, None)


class _Span(NamedTuple):
    """An interval, what it rests on and how it was found; ``needed`` is what would make one where there is none."""

    interval: Interval
    n: int
    counted: str
    method: str
    needed: str


def case(results: Path, metric: NightlyMetric, reading: Reading, limit: float) -> Case:
    """One limit on one reading that has a value. Errors: as ``rows``."""
    assert reading.value is not None
    span = _span(results, metric, reading)
    verdict, reason = _word(metric, reading.value, limit, span)
    return Case(
        "limit",
        metric.name,
        reading.endpoint,
        reading.place,
        verdict,
        reason,
        unit=metric.unit,
        value=reading.value,
        limit=limit,
        low=span.interval.low,
        high=span.interval.high,
        alpha=ALPHA,
        n=span.n,
        counted=span.counted,
        method=span.method,
    )


def _word(metric: NightlyMetric, value: float, limit: float, span: _Span) -> tuple[Verdict, str]:
    low, high = span.interval
    kept = value <= limit if metric.better == "lower" else value >= limit
    shown = quantity.shown(limit, metric.unit)
    if span.method == "value":
        return ("pass", f"within {shown}") if kept else ("fail", f"beyond {shown}")
    surely_kept, surely_missed = _sure(metric, limit, span.interval)
    if surely_missed:
        return "fail", f"beyond {shown}, and so is all of its interval"
    if surely_kept:
        return "pass", f"within {shown}, and so is all of its interval"
    bounds = " to ".join("?" if bound is None else quantity.shown(bound, metric.unit) for bound in (low, high))
    side = "within" if kept else "beyond"
    return "inconclusive", f"{side} {shown}, but its interval ({bounds}) is not: {span.needed}"


def _sure(metric: NightlyMetric, limit: float, interval: Interval) -> tuple[bool, bool]:
    """Whether the interval leaves out all values beyond the limit, and all within it."""
    low, high = interval
    if metric.better == "lower":
        return high is not None and high <= limit, low is not None and low > limit
    return low is not None and low >= limit, high is not None and high < limit


def _span(results: Path, metric: NightlyMetric, reading: Reading) -> _Span:
    within = intervals(results, metric, [reading]).get((reading.run_id, reading.endpoint, reading.stage), _UNKNOWN)
    blocks = sum(value is not None for value in reading.block_values)
    if reading.count is not None:
        # Blocks that all have no failure are no proof that there is none: the counts bound it too.
        counted = wilson(reading.count.of, reading.n)
        wide = Interval(_outer(min, counted.low, within.low), _outer(max, counted.high, within.high))
        return _Span(wide, reading.n, "requests", "the wider of Wilson and blocks", "more requests are needed")
    if within == _UNKNOWN and metric.sample is None and metric.unit != "score":
        return _Span(_UNKNOWN, reading.n, "", "value", "")
    counted_by = "blocks" if reading.blocks else "questions" if metric.unit == "score" else "requests"
    n = blocks if reading.blocks else reading.n
    return _Span(within, n, counted_by, "interval within the run", f"more {counted_by} are needed")


def _outer(side: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    """The outer one of two bounds, as far as they are known."""
    if one is None or other is None:
        return one if other is None else other
    return side(one, other)
