"""Measurements that follow each other: whether neighbours are alike, and what that leaves of an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from operator import mul
from statistics import fmean, stdev
from typing import Literal

from harness.stats import student
from harness.stats.intervals import Interval, quantile_interval
from harness.stats.signs import sign_test

Method = Literal["order statistics", "batch means"]

BATCHES = 10
"""Few and long: the means of long batches are independent. Law & Kelton advise no more than 20 to 30."""
_SHORTEST = 4
"""Values in a batch below which batches are no remedy."""


def lag1(values: Sequence[float]) -> float | None:
    """Lag-1 autocorrelation of the values' ranks, -1..1; None: fewer than three values, or all are equal.

    Ranks, because one stall of seconds among milliseconds would hide any pattern of the rest.

    Source: Wald & Wolfowitz, "An exact test for randomness in the non-parametric case based on serial correlation",
    Annals of Mathematical Statistics 14 (1943); Bartels, JASA 77 (1982).
    """
    middle = (len(values) - 1) / 2
    off = [rank - middle for rank in _ranks(values)]
    total = math.fsum(map(mul, off, off))
    if len(off) < 3 or total == 0:
        return None
    return math.fsum(map(mul, off, off[1:])) / total


def correlated(values: Sequence[float]) -> bool:
    """Whether neighbours are alike beyond chance: lag-1 autocorrelation above 1.96 / sqrt(n).

    Source: Bartlett, "On the theoretical specification and sampling properties of autocorrelated time-series",
    Supplement to JRSS 8 (1946).
    """
    found = lag1(values)
    return found is not None and found > 1.96 / math.sqrt(len(values))


def batch_interval(values: Sequence[float], q: float, confidence: float = 0.95) -> Interval:
    """Interval of a quantile of values in time order that may be autocorrelated; a bound is None where n is small.

    The share of values at or below the sample quantile is a mean, and the means of ``BATCHES`` consecutive batches of
    that indicator show how much it really varies; the share's interval is then read back as values, rounded outwards.

    Source: Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952), for the
    inversion; Law & Kelton, "Simulation modeling and analysis", 3rd ed. (2000), section 9.5.3, for batch means.
    """
    n = len(values)
    if n < BATCHES * _SHORTEST:
        return Interval(None, None)
    ordered = sorted(values)
    middle = nearest_rank(ordered, q)
    below = [float(value <= middle) for value in values]
    half = student.quantile(0.5 + confidence / 2, BATCHES - 1) * stdev(map(fmean, split(below, BATCHES)))
    half /= math.sqrt(BATCHES)
    low, high = q - half, q + half
    return Interval(
        ordered[math.floor(low * (n - 1))] if low > 0 else None,
        ordered[math.ceil(high * (n - 1))] if high < 1 else None,
    )


def p_in_time(values: Sequence[float], median: float, *, alike: bool | None = None) -> float | None:
    """Two-sided p that values in time order have this median; None: n is too small for what neighbours have in common.

    That of the sign test, and where neighbours are alike the larger of it and Student's test that the means of
    ``BATCHES`` batches of "lies below" are a half, as in ``batch_interval``. A value at the median is on neither side.

    Args:
        values: in time order.
        median: what is tested.
        alike: whether neighbours are; None: as ``correlated`` finds.
    """
    below = [0.5 if value == median else float(value < median) for value in values]
    p_value = sign_test(below.count(1.0), below.count(0.0))
    if not (correlated(values) if alike is None else alike):
        return p_value
    if len(values) < BATCHES * _SHORTEST:
        return None
    means = [fmean(batch) for batch in split(below, BATCHES)]
    error, off = stdev(means) / math.sqrt(BATCHES), fmean(means) - 0.5
    if error == 0:
        return p_value
    return max(p_value, student.two_sided(off / error, BATCHES - 1))


def interval_in_time(values: Sequence[float], q: float, confidence: float = 0.95) -> tuple[Interval, Method]:
    """Interval of a quantile of values in time order, and how it was found.

    That of independent values where neighbours are not alike. Where they are, the wider of it and ``batch_interval`` on
    either side: dependence of this kind never makes an interval narrower.
    """
    return intervals_in_time(values, (q,), confidence)[0]


def intervals_in_time(
    values: Sequence[float], qs: Sequence[float], confidence: float = 0.95
) -> list[tuple[Interval, Method]]:
    """The same of several quantiles: the values are put in order, and neighbours compared, once for all."""
    ordered, alike = sorted(values), correlated(values)
    found: list[tuple[Interval, Method]] = []
    for q in qs:
        low, high = quantile_interval(ordered, q, confidence)
        if alike:
            batched = batch_interval(values, q, confidence)
            low = None if low is None or batched.low is None else min(low, batched.low)
            high = None if high is None or batched.high is None else max(high, batched.high)
        found.append((Interval(low, high), "batch means" if alike else "order statistics"))
    return found


def nearest_rank(ordered: Sequence[float], q: float) -> float:
    """The ceil(q n)-th of n sorted values, at least one of them.

    Source: Hyndman & Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996), type 1.
    """
    # 0.07 * 100 is a little over 7: the slack keeps rounding from moving the rank.
    return ordered[max(math.ceil(q * len(ordered) - 1e-9), 1) - 1]


def split(values: Sequence[float], parts: int) -> list[Sequence[float]]:
    """Consecutive parts whose lengths differ by one at most; some are empty when there are fewer values than parts."""
    n = len(values)
    return [values[n * i // parts : n * (i + 1) // parts] for i in range(parts)]


def _ranks(values: Sequence[float]) -> list[float]:
    """0-based ranks; equal values share their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    if len(set(values)) == len(values):
        # Times to the nanosecond are hardly ever equal, and this takes a third of the time.
        for rank, at in enumerate(order):
            ranks[at] = float(rank)
        return ranks
    start = 0
    for _, equal in groupby(order, key=values.__getitem__):
        places = list(equal)
        middle = start + (len(places) - 1) / 2
        for at in places:
            ranks[at] = middle
        start += len(places)
    return ranks
