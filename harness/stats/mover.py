"""Sums and differences of independent estimates, from the interval that each of them already has.

The bounds of a sum are as far from it as the bounds of its parts together: a part whose interval is lopsided, as that
of a share near 1 is, stays lopsided in the sum.

Source: Zou & Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
Medicine 27 (2008) (method of variance estimates recovery, MOVER); Newcombe, "Interval estimation for the difference
between independent proportions", Statistics in Medicine 17 (1998), method 10, is its case of two shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

_Z = NormalDist().inv_cdf(0.975)


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float | None
    """None: not bounded."""
    high: float | None

    def within(self, least: float, most: float) -> Estimate:
        """The same of a figure that cannot lie beyond ``least`` and ``most``: what bounds it where the data do not."""
        low = least if self.low is None else max(least, self.low)
        high = most if self.high is None else min(most, self.high)
        return Estimate(self.value, min(low, self.value), max(high, self.value))

    def times(self, factor: float) -> Estimate:
        """The same in another unit; a factor below 0 turns it round."""
        low, high = (None if bound is None else factor * bound for bound in (self.low, self.high))
        return Estimate(factor * self.value, *((low, high) if factor >= 0 else (high, low)))


def exact(value: float) -> Estimate:
    """A figure that is known and not estimated."""
    return Estimate(value, value, value)


def total(parts: Iterable[tuple[float, Estimate]]) -> Estimate:
    """Weighted sum of independent estimates; a bound is None where that of a part is."""
    found = [part.times(weight) for weight, part in parts]
    value = math.fsum(part.value for part in found)
    below = [None if part.low is None else part.value - part.low for part in found]
    above = [None if part.high is None else part.high - part.value for part in found]
    down, up = (None if None in far else math.hypot(*(one or 0.0 for one in far)) for far in (below, above))
    return Estimate(value, None if down is None else value - down, None if up is None else value + up)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """``one`` minus ``other``, both independent of each other."""
    return total(((1.0, one), (-1.0, other)))


def p_of_zero(found: Estimate) -> float | None:
    """Two-sided p that the true figure is 0, by the bound that lies towards 0; None: there is no such bound.

    The distance from the estimate to that bound is taken for 1.96 standard errors, so that p is at most 0.05 exactly
    where the interval leaves out 0. A figure that is known has p 0, or 1 where it is 0.
    """
    towards = found.low if found.value > 0 else found.high
    if found.value == 0:
        return 1.0
    if towards is None:
        return None
    far = abs(found.value - towards)
    return 0.0 if far == 0 else 2 * (1 - NormalDist().cdf(_Z * abs(found.value) / far))
