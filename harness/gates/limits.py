"""A metric against a fixed limit: missed or kept only where the interval of what was measured leaves no doubt.

It is the rule by which a load decides on its own objectives (``harness.stats.slo``): a value on the right side of a
limit that chance alone put there is no proof.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.gates import quantity
from harness.gates.judgement import Case, Verdict
from harness.report.nightly_metrics import NightlyMetric, Reading
from harness.report.quality import Quality
from harness.stats.blocks import paired_blocks
from harness.stats.intervals import Interval, wilson
from harness.stats.serial import interval_in_time
from harness.store.query import rows

ALPHA = 0.05
"""One-sided: at most so many metrics that are exactly at their limit are said to miss it."""
_NO_INTERVAL = Interval(None, None)
_TIMES = """
select {column} as value from attempt_metrics
where run_id = $run and endpoint = $endpoint and kind = 'load' and task = $task and stage = $stage
    and phase = 'measure' and {column} is not null
order by started_at, job_id
"""


class _Span(NamedTuple):
    """An interval, what it rests on and how it was found; ``needed`` is what would make one where there is none."""

    interval: Interval
    n: int
    counted: str
    method: str
    needed: str = ""


def case(results: Path, metric: NightlyMetric, reading: Reading, limit: float) -> Case:
    """One limit on one reading that has a value. Errors: as ``rows``."""
    assert reading.value is not None
    span = _span(results, metric, reading, limit)
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


def _span(results: Path, metric: NightlyMetric, reading: Reading, limit: float) -> _Span:
    more = "more requests are needed"
    blocks = _of_blocks(metric, reading, limit)
    if reading.count is not None:
        counted = wilson(reading.count.of, reading.n, 1 - 2 * ALPHA)
        if blocks is None:
            return _Span(counted, reading.n, "requests", "Wilson", more)
        wide = Interval(_least(counted.low, blocks.interval.low), _most(counted.high, blocks.interval.high))
        return _Span(wide, blocks.n, "blocks", "the wider of Wilson and Student's t over blocks", more)
    if blocks is not None:
        return blocks._replace(needed="more blocks are needed (--repeats)")
    if metric.sample is not None and not reading.blocks:
        values = _times(results, metric.sample.column, reading)
        interval, method = interval_in_time(values, metric.sample.q, 1 - 2 * ALPHA)
        return _Span(interval, len(values), "requests", method, more)
    if metric.name == "quality":
        found = Quality(results, reading.run_id, 0).measured((reading.kind, reading.task, reading.endpoint))
        interval = Interval(found["low"], found["high"])
        return _Span(interval, found["n"], "questions", found["method"], "more questions are needed")
    return _Span(_NO_INTERVAL, reading.n, "", "value")


def _of_blocks(metric: NightlyMetric, reading: Reading, limit: float) -> _Span | None:
    """From block to block; None: it has too few, or they show nothing of how it varies."""
    values = reading.block_values
    if limit <= 0 and metric.scale == "ratio":
        return None
    found = paired_blocks([limit] * len(values), values, metric.asked(0.0, ALPHA))
    if found.low is None or found.high is None:
        return None
    if metric.scale == "ratio":
        interval = Interval(found.low * limit, found.high * limit)
    else:
        interval = Interval(found.low + limit, found.high + limit)
    return _Span(interval, found.n, "blocks", "Student's t over blocks")


def _times(results: Path, column: str, reading: Reading) -> list[float]:
    asked = {"run": reading.run_id, "endpoint": reading.endpoint, "task": reading.task, "stage": reading.stage}
    return [row["value"] for row in rows(results, _TIMES.format(column=column), asked)]


def _least(*bounds: float | None) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return min(known) if len(known) == len(bounds) else None


def _most(*bounds: float | None) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return max(known) if len(known) == len(bounds) else None
