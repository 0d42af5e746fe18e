"""A ratio of two means of the same items, such as the cost of a right answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple


class Ratio(NamedTuple):
    """``sum(top) / sum(bottom)`` with its interval."""

    value: float | None
    """None: the bottom sums to 0."""
    low: float | None
    high: float | None
    """None: the data cannot bound it, since the bottom's mean may well be 0."""


class Moments(NamedTuple):
    """What the items of a ratio add up to."""

    n: int
    top: float
    """Mean; so ``bottom``."""
    bottom: float
    top_variance: float
    """Unbiased, of the items; so ``bottom_variance`` and ``covariance``. Of one item anything: it bounds nothing."""
    bottom_variance: float
    covariance: float


def ratio_of_means(top: Sequence[float], bottom: Sequence[float], confidence: float = 0.95) -> Ratio:
    """Ratio of the means of two measures of the same items, with Fieller's interval; items are independent.

    The bounds are the values r at which ``mean(top) - r * mean(bottom)`` is as far from 0 as the confidence allows: the
    roots of ``(b^2 - z^2 v_bb) r^2 - 2 (ab - z^2 v_ab) r + (a^2 - z^2 v_aa) = 0`` with the variances and the covariance
    of the means. Where ``b^2 <= z^2 v_bb`` the upper bound does not exist. A lower bound below 0 is 0: both measures
    are at least 0.

    Source: Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16 (1954).

    Raises:
        ValueError: the two are not of one length.
    """
    n = len(top)
    if n != len(bottom):
        raise ValueError(f"{n} and {len(bottom)} measures are not of the same items")
    if n == 0:
        return Ratio(None, None, None)
    v_aa, v_bb, v_ab = (
        (_covariance(*pair, n) for pair in ((top, top), (bottom, bottom), (top, bottom))) if n > 1 else (0.0,) * 3
    )
    return ratio_of_moments(Moments(n, sum(top) / n, sum(bottom) / n, v_aa, v_bb, v_ab), confidence)


def ratio_of_moments(of: Moments, confidence: float = 0.95) -> Ratio:
    """The same where a query has added up the items."""
    n, a, b = of.n, of.top, of.bottom
    if n == 0 or b <= 0:
        return Ratio(None, None, None)
    if n == 1:
        return Ratio(a / b, None, None)
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    v_aa, v_bb, v_ab = of.top_variance / n, of.bottom_variance / n, of.covariance / n
    square, middle, rest = b * b - z2 * v_bb, a * b - z2 * v_ab, a * a - z2 * v_aa
    inside = middle * middle - square * rest
    if inside < 0:  # neither mean can be told from 0
        return Ratio(a / b, 0.0, None)
    root = math.sqrt(inside)
    # The smaller root in the form that holds for square = 0 too.
    low = rest / (middle + root) if middle + root > 0 else 0.0
    return Ratio(a / b, max(0.0, min(low, a / b)), (middle + root) / square if square > 0 else None)


def _covariance(x: Sequence[float], y: Sequence[float], n: int) -> float:
    mean_x, mean_y = sum(x) / n, sum(y) / n
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / (n - 1)
