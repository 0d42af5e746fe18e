"""Series of nightly figures: one value a run for each endpoint, piece of work and metric, with its change points.

It reports and never judges: a change point is told with its date, size and confidence, and blocks nothing. Terminal,
dashboard and ``--json`` show what ``trend`` returns.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness.errors import UnknownName
from harness.report.nights.fingerprint import Fingerprint, fingerprint, planned
from harness.report.nights.metrics import NightlyMetric, Reading, metric_named, readings_of
from harness.report.nights.within_run import intervals
from harness.stats.change import Count
from harness.stats.changepoint import ChangePoint, change_points
from harness.stats.intervals import Interval
from harness.stats.nights import expected, expected_share
from harness.store.query import rows
from harness.types import JsonObject

HEADLINE = (
    *("ttft_p50_ms", "ttft_p95_ms", "tpot_p50_ms", "e2e_p50_ms", "output_tokens_per_s", "error_rate", "slo_attainment"),
    *("quality", "usd_per_item", "conformance_support"),
)
"""Metrics that are followed where nobody names one."""
ALPHA = 0.01
"""Of the expectation of the next night: 98 in 100 nights lie in it, as in the history mode of a gate."""
_MISSING = 1.75
"""Times the usual time between two runs from which on a night is missing."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run. One with a problem is shown, and counts neither in a level nor in a change point."""

    run_id: str
    at: str
    """When the run began, UTC, ISO 8601."""
    value: float | None
    """In the unit of the metric. None: a gap."""
    low: float | None
    """Of the 95 % interval within the run; None: not bounded."""
    high: float | None
    n: int
    """What the value rests on: requests, questions or probes."""
    of: int | None
    """Of a share: how many of ``n`` are so; None: it is no share of counts."""
    problem: str | None
    """Why it does not count; None: it does."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A level that held."""

    first_run: str
    last_run: str
    first_at: str
    last_at: str
    level: float
    """Mean, the geometric one of a ratio, in the unit of the metric."""
    nights: int


@dataclass(frozen=True, slots=True)
class Change:
    """Where a level ended and another began."""

    run_id: str
    """First run of the new level."""
    at: str
    last_run_before: str
    last_at_before: str
    """It changed between this and ``at``."""
    before: float
    after: float
    size: float
    """after / before, or after - before, as the scale of the series is."""
    low: float
    high: float
    worse: bool
    confidence: float
    """1 - p of the permutation test."""
    p_value: float
    """Of Student's test between the two levels."""
    nights_before: int
    nights_after: int


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one endpoint and piece of work under one fingerprint, the oldest point first."""

    endpoint: str
    kind: str
    """``load``, ``quality``, ``tools`` or ``probe``."""
    place: str
    """``chat@c4`` of a load, the name of a task, or ``probes``."""
    metric: str
    title: str
    unit: str
    scale: str
    better: str
    fingerprint: str
    """Twelve hex digits."""
    fingerprint_parts: Mapping[str, str]
    differs: tuple[str, ...]
    """What is otherwise than in the series before it of the same endpoint, work and metric; empty: it is the first."""
    points: tuple[Point, ...]
    segments: tuple[Segment, ...]
    """Empty: no point counts."""
    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    expected_low: float | None
    """Between these the next night is expected, from the nights of the last level; None: too few."""
    expected_high: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Runs that are missing between two points."""

    after: str
    """ISO 8601, UTC."""
    before: str
    nights: int
    """How many, by the usual time between two runs."""


class _Run(NamedTuple):
    id: str
    at: datetime
    manifest: JsonObject
    problem: str | None


def trend(
    results: Path,
    *,
    metrics: Sequence[str] = (),
    endpoint: str | None = None,
    suite: str | None = None,
    last: int | None = None,
    seed: int = 0,
) -> list[Series]:
    """Every series, by endpoint, work, metric and the time at which each began.

    Args:
        results: the results folder; runs must be published.
        metrics: names in ``harness.report.nights.metrics.METRICS``; none: those of ``HEADLINE``.
        endpoint: its id, or the name of a provider: all its endpoints. None: all.
        suite: of the runs; None: all.
        last: how many latest points of each series; None: all.
        seed: of the permutations.

    Raises:
        UnknownName: there is no such metric, endpoint or suite; the nearest are told.
        StoreError: the database cannot be read.
    """
    asked = [metric_named(name) for name in metrics or HEADLINE]
    runs = _runs(results, suite)
    names = _endpoints(runs.values(), endpoint)
    only = names[0] if names is not None and len(names) == 1 else None
    read = readings_of(results, asked, runs=list(runs), endpoint=only)
    found = [
        series
        for metric in asked
        for series in _of_metric(results, metric, runs, _among(read[metric.name], names), last, seed)
        if any(point.value is not None for point in series.points)
    ]
    order = {metric.name: place for place, metric in enumerate(asked)}
    return sorted(found, key=lambda one: (one.endpoint, one.kind, one.place, order[one.metric]))


def as_json(found: Sequence[Series]) -> list[JsonObject]:
    """The same as plain data."""
    return [asdict(series) for series in found]


# --- which runs ------------------------------------------------------------------------------------------


def _runs(results: Path, suite: str | None) -> dict[str, _Run]:
    """By id, the oldest first. One that is still running is no night yet."""
    listed = rows(results, "select run_id, suite, status, created_at, sealed, problem, manifest from runs order by all")
    if suite is not None and suite not in (known := {row["suite"] for row in listed if row["suite"]}):
        raise UnknownName("suite", suite, known)
    found = [
        _Run(row["run_id"], row["created_at"], json.loads(row["manifest"]), _problem(row))
        for row in listed
        if suite in (None, row["suite"]) and row["manifest"] and row["created_at"] and row["status"] != "running"
    ]
    return {run.id: run for run in sorted(found, key=lambda run: (run.at, run.id))}


def _problem(row: JsonObject) -> str | None:
    if row["problem"]:
        return str(row["problem"])
    if not row["sealed"]:
        return "its records are not sealed"
    return None if row["status"] == "finished" else f"the run is {row['status']}"


def _endpoints(runs: Iterable[_Run], asked: str | None) -> list[str] | None:
    """The endpoints that a name means; None: all."""
    if asked is None:
        return None
    known = {str(row.get("id")) for run in runs for row in run.manifest.get("endpoints") or () if isinstance(row, dict)}
    meant = [asked] if asked in known else sorted(name for name in known if name.partition("/")[0] == asked)
    if not meant:
        raise UnknownName("endpoint", asked, known)
    return meant


# --- series of one metric --------------------------------------------------------------------------------


_Place = tuple[str, str, str, str]
"""(endpoint, kind, task, stage)."""


def _of_metric(
    results: Path,
    metric: NightlyMetric,
    runs: Mapping[str, _Run],
    found: Sequence[Reading],
    last: int | None,
    seed: int,
) -> list[Series]:
    read = {(_place(one), one.run_id): one for one in found}
    groups: dict[_Place, dict[Fingerprint, list[Reading]]] = defaultdict(lambda: defaultdict(list))
    for place in dict.fromkeys(place for place, _ in read):
        for run in runs.values():
            reading = read.get((place, run.id)) or _gap(run, place)
            if reading is not None:
                groups[place][fingerprint(run.manifest, metric, reading)].append(reading)
    kept = {
        place: {print_: own[-last:] if last else own for print_, own in by_print.items()}
        for place, by_print in groups.items()
    }
    bounds = intervals(results, metric, [one for by in kept.values() for own in by.values() for one in own])
    told = []
    for by_print in kept.values():
        before: Fingerprint | None = None
        for print_, own in by_print.items():
            differs = () if before is None else tuple(before.differences(print_))
            points = tuple(_point(runs[one.run_id], one, bounds) for one in own)
            told.append(_series(metric, own[0], print_, differs, points, seed))
            before = print_
    return told


def _among(found: Sequence[Reading], names: Sequence[str] | None) -> list[Reading]:
    return [one for one in found if names is None or one.endpoint in names]


def _place(reading: Reading) -> _Place:
    return reading.endpoint, reading.kind, reading.task, reading.stage


def _gap(run: _Run, place: _Place) -> Reading | None:
    """What a run planned and has no record of; None: it did not plan it."""
    if place not in planned(run.manifest):
        return None
    endpoint, kind, task, stage = place
    return Reading(run.id, endpoint, kind, task, stage, None, 0, None, ())


def _point(run: _Run, reading: Reading, bounds: Mapping[tuple[str, str, str], Interval]) -> Point:
    problem = run.problem or ("nothing was measured" if reading.value is None else None)
    low, high = bounds.get((run.id, reading.endpoint, reading.stage), (None, None))
    return Point(run.id, run.at.isoformat(), reading.value, low, high, reading.n, reading.of, problem)


def _series(
    metric: NightlyMetric,
    about: Reading,
    print_: Fingerprint,
    differs: tuple[str, ...],
    points: tuple[Point, ...],
    seed: int,
) -> Series:
    values = [None if point.problem else point.value for point in points]
    found = change_points(values, metric.scale, seed=seed)
    low, high = _next(metric, points[found[-1].at if found else 0 :])
    return Series(
        endpoint=about.endpoint,
        kind=about.kind,
        place=about.place,
        metric=metric.name,
        title=metric.title,
        unit=metric.unit,
        scale=metric.scale,
        better=metric.better,
        fingerprint=print_.id,
        fingerprint_parts=dict(print_.parts),
        differs=differs,
        points=points,
        segments=tuple(_segments(metric, points, values, [one.at for one in found])),
        changes=tuple(_change(metric, points, one) for one in found),
        gaps=tuple(_gaps(points)),
        expected_low=low,
        expected_high=high,
    )


def _next(metric: NightlyMetric, level: Sequence[Point]) -> Interval:
    """Between what the night after a level is expected; shares and scores are within 0 and 1."""
    kept, asked = [point for point in level if point.problem is None], metric.asked(0.0, ALPHA)
    counts = [Count(point.of, point.n) for point in kept if point.of is not None]
    if counts:
        return expected_share(counts, round(median(count.n for count in counts)), asked, floor=metric.floor)
    low, high = expected([point.value for point in kept], asked, floor=metric.floor)
    if metric.scale == "ratio" or low is None or high is None:
        return Interval(low, high)
    return Interval(max(0.0, low), min(1.0, high))


def _segments(
    metric: NightlyMetric, points: Sequence[Point], values: Sequence[float | None], starts: Sequence[int]
) -> Iterable[Segment]:
    edges = [0, *starts, len(points)]
    for start, end in itertools.pairwise(edges):
        own = [place for place in range(start, end) if values[place] is not None]
        level = metric.middle([values[place] for place in own])
        if level is not None:
            first, last = points[own[0]], points[own[-1]]
            yield Segment(first.run_id, last.run_id, first.at, last.at, level, len(own))


def _change(metric: NightlyMetric, points: Sequence[Point], found: ChangePoint) -> Change:
    first, before = points[found.at], points[found.last_before]
    return Change(
        run_id=first.run_id,
        at=first.at,
        last_run_before=before.run_id,
        last_at_before=before.at,
        **{name: getattr(found, name) for name in ("before", "after", "size", "low", "high", "confidence", "p_value")},
        worse=(found.after > found.before) == (metric.better == "lower"),
        nights_before=found.n_before,
        nights_after=found.n_after,
    )


def _gaps(points: Sequence[Point]) -> Iterable[Gap]:
    """Where the time between two runs is far above the usual one."""
    moments = [datetime.fromisoformat(point.at) for point in points]
    apart = [(b - a).total_seconds() for a, b in itertools.pairwise(moments)]
    usual = median(apart) if len(apart) > 1 else 0.0
    if usual <= 0:
        return
    for place, seconds in enumerate(apart):
        if seconds > _MISSING * usual:
            yield Gap(points[place].at, points[place + 1].at, round(seconds / usual) - 1)
