"""Signs that a server has reached its ceiling."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist, fmean, median
from typing import NamedTuple

_FLAT = 1.05
"""Throughput that grew by less has not grown."""
_MORE = 1.5
"""Load that grew by as much should have brought more throughput."""
_SOME = 1.1
"""Least growth of the load at which a doubled latency is put down to it."""
_SLICES = 16
_SLICES_NEEDED = 8
_RISE = 2.5
"""Standard deviations of a Poisson count that the number under way must rise in the second half of a stage."""


class LevelPoint(NamedTuple):
    """What one level of a sweep gave."""

    offered: float
    """Requests at once (closed loop) or per second (open loop)."""
    achieved_per_s: float
    """Requests completed, or tokens, per second."""
    latency_p50: float
    """Any unit, the same for all levels."""


class Saturation(NamedTuple):
    """Between which two levels throughput stopped growing."""

    before: float
    """Highest load from which on more brought nothing: the knee lies at or below it."""
    at: float
    """Lowest load at which it was seen."""
    throughput_growth: float
    """Ratio of the two levels' throughput, below 1.05."""
    latency_growth: float
    """Ratio of their median latencies."""
    reason: str


class Trend(NamedTuple):
    """Median slope of all pairs, per unit of time, with its interval."""

    slope: float
    low: float
    high: float


def saturated(levels: Sequence[LevelPoint]) -> Saturation | None:
    """The first level that brought no more throughput than one below it; None: none did.

    Throughput grew by less than 5 % although the load grew by half or more, or although it grew by a tenth or more
    and the median latency more than doubled. The second is the same sign seen early: requests under way are
    throughput times latency, so what is added to a full server only waits.

    Source: Little, "A proof for the queuing formula L = lambda W", Operations Research 9 (1961).
    """
    ordered = sorted(levels)
    for index, high in enumerate(ordered):
        for low in reversed(ordered[:index]):
            if low.achieved_per_s <= 0 or low.latency_p50 <= 0:
                continue
            load = high.offered / low.offered
            throughput = high.achieved_per_s / low.achieved_per_s
            latency = high.latency_p50 / low.latency_p50
            if throughput < _FLAT and (load >= _MORE or (load >= _SOME and latency > 2)):
                reason = (
                    f"from {low.offered:g} to {high.offered:g} (load x{load:.2g}) throughput grew x{throughput:.3g} "
                    f"and median latency x{latency:.2g}"
                )
                return Saturation(low.offered, high.offered, throughput, latency, reason)
    return None


def trend(times: Sequence[float], values: Sequence[float], confidence: float = 0.95) -> Trend | None:
    """Theil-Sen slope with its distribution-free interval; None: fewer than two distinct times.

    An interval on one side of 0 is a trend by the Mann-Kendall test, its correction for continuity included.

    Source: Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968), with the normal
    approximation and the correction for ties of Gilbert, "Statistical methods for environmental pollution monitoring"
    (1987), sections 16.4 and 16.5.

    Raises:
        ValueError: the two are not of one length.
    """
    points = list(zip(times, values, strict=True))
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)
    if not slopes:
        return None
    n = len(points)
    ties: dict[float, int] = defaultdict(int)
    for value in values:
        ties[value] += 1
    variance = n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties.values())
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance / 18)
    # The bounds are the slopes of ranks (N - C) / 2 and (N + C) / 2 + 1; outward where they are no whole numbers.
    low = max(math.floor((len(slopes) - reach) / 2) - 1, 0)
    high = min(math.ceil((len(slopes) + reach) / 2), len(slopes) - 1)
    return Trend(median(slopes), slopes[low], slopes[high])


def growing(times: Sequence[float], in_flight: Sequence[int]) -> bool:
    """Whether requests pile up over one open-loop stage: more arrive than the server completes.

    ``times`` are the arrivals, rising, in any unit; ``in_flight`` the requests under way at each. Neighbouring counts
    are nearly equal, which no trend test allows for, so the stage is cut into 16 equal spans whose means are tested.
    Three things must hold. The slope's 95 % interval lies above 0. The second half alone rises at least half as
    steeply, which a stage that merely fills up at its start does not. And it rises by 2.5 times the square root of the
    mean: at a server that keeps up the number under way varies about like a Poisson count.

    It is made for stages of some hundred requests that last several times as long as one request. By simulated queues
    (tests/test_stats_saturation.py) it then seldom speaks up at 80 % of capacity and nearly always at 150 %; between 90
    and 120 % a short stage does not tell, whatever the test.

    False too when fewer than 8 spans hold an arrival: nothing can be said.
    """
    if len(times) < 2 or times[-1] <= times[0]:
        return False
    span = (times[-1] - times[0]) / _SLICES
    slices: dict[int, list[int]] = defaultdict(list)
    for time, count in zip(times, in_flight, strict=True):
        slices[min(int((time - times[0]) / span), _SLICES - 1)].append(count)
    if len(slices) < _SLICES_NEEDED:
        return False
    middles = sorted(slices)
    means = [fmean(slices[index]) for index in middles]
    whole, later = trend(middles, means), trend(middles[len(middles) // 2 :], means[len(means) // 2 :])
    if whole is None or later is None or whole.low <= 0:
        return False
    risen = later.slope * _SLICES / 2
    return later.slope >= whole.slope / 2 and risen >= _RISE * math.sqrt(fmean(means))
