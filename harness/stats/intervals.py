"""Intervals for one quantity: proportions and quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """Two-sided bounds; None: the data cannot bound it at this confidence."""

    low: float | None
    high: float | None


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion; (None, None) when ``n`` is 0.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), eq. for the
    roots of (p - p0)^2 = z^2 p0 (1 - p0) / n.
    """
    return Interval(*score_bounds(successes, n, confidence)) if n else Interval(None, None)


def score_bounds(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The two roots of Wilson's score interval, for ``n`` of at least 1."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and n successes the closed form is exact up to rounding: keep it inside [0, 1].
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def quantile(values: Sequence[float], q: float) -> float | None:
    """Linearly interpolated sample quantile, the same as SQL's ``quantile_cont``; None of no values.

    Source: Hyndman & Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996), type 7.
    """
    if not values:
        return None
    ordered = sorted(values)
    at = (len(ordered) - 1) * q
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def quantile_interval(values: Sequence[float], q: float, confidence: float = 0.95) -> Interval:
    """Distribution-free interval of a quantile from order statistics; a bound is None where n is too small for it.

    The number of values below the true quantile is binomial(n, q); the bounds are the order statistics whose tails hold
    at most (1 - confidence) / 2 each. Values are taken as independent, which requests under load are not quite: read
    it as the least uncertainty there is.

    Source: Conover, "Practical Nonparametric Statistics", 3rd ed. (1999), section 3.2.
    """
    ordered = sorted(values)
    if not ordered:
        return Interval(None, None)
    low, high = _order_statistics(len(ordered), q, confidence)
    return Interval(None if low is None else ordered[low], None if high is None else ordered[high])


@lru_cache(maxsize=4096)
def _order_statistics(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    """Which of ``n`` sorted values, from 0, bound the quantile; kept, for the runs of a series are of one size."""
    tail = (1 - confidence) / 2
    first, below = _binomial_cdf(n, q)
    # x(low) is a lower bound when P(fewer than low values lie below the quantile) <= tail.
    lows = [first + i for i, share in enumerate(below) if share <= tail and first + i < n]
    highs = [first + i for i, share in enumerate(below) if 1 - share <= tail and first + i < n]
    return max(lows, default=first - 1 if first else None), min(highs, default=None)


_FAR_SD = 9.0
"""Standard deviations from the mean beyond which a binomial has less than 1e-15."""


def _binomial_cdf(n: int, q: float) -> tuple[int, list[float]]:
    """Where P(X <= i) of X ~ binomial(n, q) is neither 0 nor 1: the first such i, and the values from there on.

    By logarithms and a recurrence, so that large n neither underflows nor takes long.
    """
    if q in (0.0, 1.0):
        return 0, [1.0] * (n + 1) if q == 0.0 else [0.0] * n + [1.0]
    reach = _FAR_SD * math.sqrt(n * q * (1 - q)) + _FAR_SD
    first, last = max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach))
    log_pmf = math.lgamma(n + 1) - math.lgamma(first + 1) - math.lgamma(n - first + 1)
    log_pmf += first * math.log(q) + (n - first) * math.log1p(-q)
    odds, total, cdf = math.log(q) - math.log1p(-q), 0.0, []
    for i in range(first, last + 1):
        total += math.exp(log_pmf)
        cdf.append(min(total, 1.0))
        if i < n:
            log_pmf += math.log((n - i) / (i + 1)) + odds
    return first, cdf
