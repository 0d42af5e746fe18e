"""Comparing two endpoints on the same questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.stats.intervals import quantile, quantile_interval, score_bounds
from harness.stats.power import smallest_detectable_difference
from harness.stats.serial import interval_in_time

VerdictWord = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """B minus A over the questions that both answered."""

    n: int
    difference: float | None
    """Share right of B minus share right of A, in -1..1; None when n is 0."""
    low: float | None
    high: float | None
    p_value: float | None
    """Exact two-sided McNemar; 1.0 when nothing is discordant."""
    discordant: int
    """Questions that exactly one of the two got right."""
    mde: float | None
    """Smallest true difference that this many questions would have shown four times in five."""

    @property
    def verdict(self) -> VerdictWord:
        """Of B against A: unclear whenever the interval holds 0."""
        if self.low is None or self.high is None or self.low <= 0.0 <= self.high:
            return "unclear"
        return "better" if self.low > 0 else "worse"


def paired_difference(a: Sequence[bool], b: Sequence[bool], confidence: float = 0.95) -> PairedDifference:
    """Difference of two proportions over matched items.

    Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17 (1998), method 10 (score intervals squared and added, with the continuity-corrected
    phi); McNemar, Psychometrika 12 (1947), in its exact binomial form.

    Raises:
        ValueError: the two are not of one length.
    """
    n = len(a)
    both = sum(x and y for x, y in zip(a, b, strict=True))
    only_a, only_b = sum(a) - both, sum(b) - both
    if n == 0:
        return PairedDifference(0, None, None, None, None, 0, None)
    low, high = _newcombe(both, only_b, only_a, n - both - only_a - only_b, confidence)
    discordant = only_a + only_b
    return PairedDifference(
        n=n,
        difference=(only_b - only_a) / n,
        low=low,
        high=high,
        p_value=_mcnemar(only_a, only_b),
        discordant=discordant,
        mde=smallest_detectable_difference(n, discordant),
    )


def _newcombe(both: int, only_first: int, only_second: int, neither: int, confidence: float) -> tuple[float, float]:
    """Bounds of p1 - p2 where p1 = (both + only_first) / n."""
    n = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    p1, p2 = first / n, second / n
    l1, u1 = score_bounds(first, n, confidence)
    l2, u2 = score_bounds(second, n, confidence)
    phi = _phi(both, only_first, only_second, neither)
    below = math.sqrt(max(0.0, (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2))
    above = math.sqrt(max(0.0, (u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2))
    return p1 - p2 - below, p1 - p2 + above


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    n = both + only_first + only_second + neither
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    cross = both * neither - only_first * only_second
    corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    return corrected / math.sqrt(margins)


def _mcnemar(only_a: int, only_b: int) -> float:
    n = only_a + only_b
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1))
    # An integer ratio: a float power would overflow for thousands of discordant items.
    return min(1.0, 2 * tail / (1 << n))


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """B over A, matched by prompt."""

    n: int
    ratio: float | None
    """Median of the per-prompt ratios; None when n is 0."""
    low: float | None
    """None: n is too small to bound it."""
    high: float | None

    @property
    def verdict(self) -> VerdictWord:
        """Of B against A where less is better: unclear whenever the interval holds 1 or cannot be given."""
        if self.low is None or self.high is None or self.low <= 1.0 <= self.high:
            return "unclear"
        return "better" if self.high < 1 else "worse"


def paired_ratio(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, *, blocks: bool = False
) -> PairedRatio:
    """Median ratio of two positive measures over matched prompts, with its order-statistic interval.

    It holds for the one sitting it was measured in: what changes between sittings is not in it.

    The interval is that of independent ratios. Requests that share a busy server are not: with a lag-1 autocorrelation
    of 0.6 two equal endpoints are called different in a fifth of all runs (tests/test_stats_aa.py). With ``blocks`` the
    two are in time order, and where neighbouring ratios are alike the interval is that of batch means as well.

    Raises:
        ValueError: the two are not of one length, or ``blocks`` with another confidence than 0.95.
    """
    ratios = [y / x for x, y in zip(a, b, strict=True) if x > 0]
    if blocks and confidence != 0.95:
        raise ValueError("intervals of batch means are at 0.95 alone")
    low, high = interval_in_time(ratios, 0.5)[0] if blocks else quantile_interval(ratios, 0.5, confidence)
    return PairedRatio(len(ratios), quantile(ratios, 0.5), low, high)
