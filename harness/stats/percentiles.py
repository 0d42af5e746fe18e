"""Percentiles of measurements in time order, each with what may be said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.intervals import quantile
from harness.stats.serial import Method, intervals_in_time, nearest_rank

SHOWN = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
BEYOND = 10
"""Values that must lie beyond a percentile before it is shown: with fewer it is the story of a few requests."""


class Percentile(NamedTuple):
    """One percentile."""

    q: float
    value: float | None
    """None: no values. ``math.inf``: so many failed that it is not among the answers."""
    low: float | None
    """Of the 95 % interval; None: n is too small to bound it."""
    high: float | None
    n: int
    method: Method
    """``batch means`` where neighbours are alike, which makes the interval of independent values too narrow."""
    enough: bool
    """Whether at least ``BEYOND`` values lie beyond it; otherwise it should not be shown."""


def percentile(values: Sequence[float], q: float) -> Percentile:
    """One percentile of finite values in time order, linearly interpolated as SQL's ``quantile_cont``.

    Raises:
        ValueError: a value is not finite; see ``percentile_with_failures``.
    """
    return percentiles(values, (q,))[0]


def percentiles(values: Sequence[float], qs: Sequence[float] = SHOWN) -> tuple[Percentile, ...]:
    """Several of them; errors as ``percentile``."""
    if not all(map(math.isfinite, values)):
        raise ValueError("a percentile of finite values was asked of others")
    ordered = sorted(values)
    return _percentiles(values, qs, [quantile(ordered, q) for q in qs])


def percentile_with_failures(values: Sequence[float], q: float) -> Percentile:
    """The same where a failed request is ``math.inf``: what a user sees who waits for an answer that never comes.

    By nearest rank: between an answer and no answer there is nothing to interpolate.
    """
    return _percentiles(values, (q,), [nearest_rank(sorted(values), q) if values else None])[0]


def _percentiles(values: Sequence[float], qs: Sequence[float], found: Sequence[float | None]) -> tuple[Percentile, ...]:
    n = len(values)
    intervals = intervals_in_time(values, qs)
    return tuple(
        # The slack is for 1 - q, which is a little under a tenth for 0.9.
        Percentile(q, value, low, high, n, method, n * min(q, 1 - q) + 1e-9 >= BEYOND)
        for q, value, ((low, high), method) in zip(qs, found, intervals, strict=True)
    )
