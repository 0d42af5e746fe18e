"""Student's t distribution, without a library for it."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

_TINY = 1e-300
_EXACT = 1e-15
_MANY = 30.0
"""Half the degrees of freedom from which on a series is closer than the difference of two logarithms."""


def upper_tail(t: float, df: float) -> float:
    """P(T > t) of Student's t with ``df`` > 0 degrees of freedom; ``t`` may be infinite.

    The smaller tail is computed, never as 1 minus the other, so that it keeps its digits however far out ``t`` is.

    Source: DLMF 8.17.22 (continued fraction of the incomplete beta function); Lentz, Applied Optics 15 (1976), for how
    to evaluate it.

    Raises:
        ValueError: ``df`` is not above 0.
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom must be above 0, not {df}")
    if t < 0:
        return 1 - upper_tail(-t, df)
    square = t * t
    if math.isinf(square):
        return 0.0
    # x = df / (df + t^2), and 1 - x without a subtraction.
    x, rest = df / (df + square), square / (df + square)
    return 0.5 * _incomplete_beta(df / 2, x, rest)


def two_sided(t: float, df: float) -> float:
    """P(abs(T) > abs(t)): the p of a two-sided test."""
    return min(1.0, 2 * upper_tail(abs(t), df))


@functools.lru_cache(maxsize=1024)
def quantile(p: float, df: float) -> float:
    """The ``t`` with P(T <= t) = ``p``, for 0 < p < 1.

    Newton's steps on the tail, begun at the normal quantile and kept inside a bracket that always shrinks.

    Raises:
        ValueError: ``p`` is not between 0 and 1, or ``df`` is not above 0.
    """
    if not 0 < p < 1:
        raise ValueError(f"a quantile is at a probability between 0 and 1, not {p}")
    if p < 0.5:
        return -_above_median(p, df)
    return _above_median(1 - p, df)


def _above_median(tail: float, df: float) -> float:
    """The ``t`` of at least 0 with P(T > t) = ``tail``."""
    low, high = 0.0, 1.0
    while upper_tail(high, df) > tail:
        low, high = high, 2 * high
    t = min(max(-NormalDist().inv_cdf(tail), low), high) if tail < 0.5 else 0.0
    for _ in range(200):
        found = upper_tail(t, df)
        low, high = (t, high) if found > tail else (low, t)
        step = t + (found - tail) / _density(t, df)
        step = step if low < step < high else (low + high) / 2
        if abs(step - t) <= _EXACT * max(step, _TINY):
            return step
        t = step
    return t


def _density(t: float, df: float) -> float:
    half = df / 2
    log_scale = -0.5 * math.log(df) - _log_beta_half(half)
    return math.exp(log_scale - (half + 0.5) * math.log1p(t * t / df))


def _log_beta_half(a: float) -> float:
    """Logarithm of B(a, 1/2).

    Source: DLMF 5.11.13, the expansion of the ratio of two gamma functions: for large ``a`` the difference of their
    logarithms would lose its digits.
    """
    if a < _MANY:
        return math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5)
    inverse = 1 / a
    square = inverse * inverse
    series = -1 / 8 + square * (1 / 192 + square * (-1 / 640 + square * (17 / 14336 - square * 31 / 18432)))
    return 0.5 * math.log(math.pi / a) - inverse * series


def _incomplete_beta(half: float, x: float, rest: float) -> float:
    """Regularised incomplete beta function I_x(half, 1/2); ``rest`` is 1 - x."""
    if x <= 0:
        return 0.0
    if rest <= 0:
        return 1.0
    front = math.exp(half * _log_of(x, rest) + 0.5 * _log_of(rest, x) - _log_beta_half(half))
    # The fraction converges quickly on its own side of the mean; the other side is that of the complement.
    if x < (half + 1) / (half + 2.5):
        return front * _fraction(half, 0.5, x) / half
    return 1 - 2 * front * _fraction(0.5, half, rest)


def _log_of(part: float, rest: float) -> float:
    return math.log(part) if part < 0.5 else math.log1p(-rest)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction by Lentz's method, in which no term may be 0."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + numerator * d)
            c = _not_zero(1 + numerator / c)
            value *= c * d
        if abs(c * d - 1) < _EXACT:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
