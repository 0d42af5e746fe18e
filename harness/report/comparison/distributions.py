"""How a time is spread on both sides of a comparison, and by how much each quantile differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from harness.report.comparison.pairing import match
from harness.report.comparison.sides import Side
from harness.report.load.figures import is_closed
from harness.stats.quantile_shift import quantile_shifts
from harness.types import JsonObject

TIMES = {"TTFT": "ttft", "ITL": "tpot", "E2E": "e2e"}
"""What can be asked for: TTFT and E2E are since the planned arrival where arrivals do not wait for answers; ITL is each
request's time per output token."""
_POINTS = 512
"""Points of a curve, whatever n is."""


def distributions(results: Path, a: Side, b: Side, stage: str, time: str) -> JsonObject | None:
    """The times of what both were asked in one stage; None: the stage is not compared, or its times are not.

    Returns:
        ``metric`` (as in ``attempt_metrics``), ``n`` (pairs asked), ``sides`` (A, then B): each with ``n``,
        ``n_failed``, ``n_without`` (answered, and has no such time) and ``curve`` (pairs of ms and the share of all
        that were asked and have come by then: a failed request never comes, so that the curve ends below 1), and
        ``shifts``: rows of ``q``, ``a``, ``b``, ``difference`` (ms), ``low``, ``high`` over ``shifts_n`` units that
        both answered, counted in ``unit``.

    Errors: as ``rows``.
    """
    group = next((one for one in match(results, a, b).groups if one.stage == stage), None)
    if group is None or group.no_times:
        return None
    metric = metric_of(group.kind, stage, time)
    units = [
        [(pair.a[metric], pair.b[metric]) for pair in unit.pairs if None not in (pair.a[metric], pair.b[metric])]
        for unit in group.answered
    ]
    means = [tuple(map(fmean, zip(*told, strict=True))) for told in units if told]
    first, second = ([float(side) for side in sides] for sides in zip(*means, strict=True)) if means else ([], [])
    seed = a.manifest.get("seed")
    return {
        "metric": metric,
        "n": len(group.asked),
        "sides": [
            _side(asked, metric) for asked in ([pair.a for pair in group.asked], [pair.b for pair in group.asked])
        ],
        "unit": group.unit,
        "shifts_n": len(means),
        "shifts": [
            shift._asdict()
            for shift in quantile_shifts(first, second, seed=seed if isinstance(seed, int) and seed >= 0 else 0)
        ],
    }


def metric_of(kind: str, stage: str, time: str) -> str:
    """Which column of ``attempt_metrics`` a time is in a stage."""
    since_plan = time != "ITL" and kind == "load" and not is_closed(stage.rpartition("@")[2])
    return f"{TIMES[time]}_sched_ms" if since_plan else f"{TIMES[time]}_ms"


def _side(asked: Sequence[JsonObject], metric: str) -> JsonObject:
    told = [float(row[metric]) for row in asked if row["ok"] and row[metric] is not None]
    failed = sum(not row["ok"] for row in asked)
    return {
        "n": len(told),
        "n_failed": failed,
        "n_without": len(asked) - failed - len(told),
        "curve": curve(told, len(told) + failed),
    }


def curve(values: Sequence[float], n: int) -> list[tuple[float, float]]:
    """An empirical distribution in at most 512 points: (value, share of ``n`` at or below it), both rising.

    The points lie at equal steps of rank, the smallest and the largest value among them.
    """
    ordered, count = sorted(values), len(values)
    ranks = dict.fromkeys(math.ceil((count - 1) * i / (_POINTS - 1)) for i in range(_POINTS)) if count else {}
    return [(ordered[rank], (rank + 1) / n) for rank in ranks]
