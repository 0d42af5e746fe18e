"""Intervals for one quantity: proportions and quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    n = len(ordered)
    if n == 0:
        return Interval(None, None)
    tail = (1 - confidence) / 2
    below = _binomial_cdf(n, q)
    # x(low) is a lower bound when P(fewer than low values lie below the quantile) <= tail.
    low = max((i for i in range(n) if below[i] <= tail), default=None)
    high = min((i for i in range(n) if 1 - below[i] <= tail), default=None)
    return Interval(None if low is None else ordered[low], None if high is None else ordered[high])


def _binomial_cdf(n: int, q: float) -> list[float]:
    """P(X <= i) for i in 0..n of X ~ binomial(n, q), by logarithms so that large n does not underflow to nothing."""
    if q in (0.0, 1.0):
        return [1.0] * (n + 1) if q == 0.0 else [0.0] * n + [1.0]
    total, cdf = 0.0, []
    for i in range(n + 1):
        log_pmf = (
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(q)
            + (n - i) * math.log1p(-q)
        )
        total += math.exp(log_pmf)
        cdf.append(min(total, 1.0))
    return cdf
