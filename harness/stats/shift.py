"""By how much one of two matched measures is larger than the other: times by the median, amounts by the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.stats.intervals import Interval, quantile
from harness.stats.means import standard_error, student_interval
from harness.stats.paired import paired_ratio
from harness.stats.power import smallest_detectable_mean, smallest_detectable_shift
from harness.stats.ratio import ratio_of_means
from harness.stats.resampling import sign_flip_p
from harness.stats.serial import interval_in_time, p_in_time


@dataclass(frozen=True, slots=True)
class Shift:
    """B minus A over matched measures, in their unit; every figure but ``n`` is None where there is none."""

    n: int
    a: float | None
    """Median or mean of A over the pairs."""
    b: float | None
    difference: float | None
    low: float | None
    """Of the 95 % interval of the difference; None: too few pairs bound it."""
    high: float | None
    ratio: float | None
    """B over A: median of the pairs' ratios, or ratio of the means; None: A is 0."""
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None
    """Two-sided, of a difference of 0, not adjusted; None: too few pairs for what neighbours have in common."""
    mde: float | None
    """Smallest true difference that so many pairs would have shown four times in five; None: not bounded, or all
    differences are equal, which is no proof that the next would be."""
    test: str
    """How p was found."""
    method: str
    """How the interval was found."""


def median_shift(a: Sequence[float], b: Sequence[float]) -> Shift:
    """Median of the differences of matched times; the pairs are in time order.

    A stall of seconds in one request moves it as little as any other. The interval is that of order statistics, and
    where neighbouring differences are alike the wider of it and that of batch means, as ``interval_in_time`` has it; p
    is that of ``p_in_time``. A median of differences is not the difference of the medians.

    Raises:
        ValueError: the two are not of one length.
    """
    differences = [y - x for x, y in zip(a, b, strict=True)]
    if not differences:
        return _NOTHING
    (low, high), method = interval_in_time(differences, 0.5)
    ratio = paired_ratio(a, b, blocks=True)
    return Shift(
        n=len(differences),
        a=quantile(a, 0.5),
        b=quantile(b, 0.5),
        difference=quantile(differences, 0.5),
        low=low,
        high=high,
        ratio=ratio.ratio,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        p_value=p_in_time(differences, 0.0),
        mde=None if low is None or high is None or low == high else smallest_detectable_shift(low, high),
        test="sign test",
        method=method,
    )


def mean_shift(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Shift:
    """Mean of the differences of matched amounts, such as tokens and costs, which are paid for by their sum.

    Student's interval, sign flips for p, Fieller's interval for the ratio. Where all differences are equal the interval
    is that one value.

    Raises:
        ValueError: the two are not of one length.
    """
    differences = [y - x for x, y in zip(a, b, strict=True)]
    n = len(differences)
    if not n:
        return _NOTHING
    mean, error = math.fsum(differences) / n, standard_error(differences)
    interval = Interval(None, None) if error is None else student_interval(mean, error, n - 1)
    ratio = ratio_of_means(b, a)
    return Shift(
        n=n,
        a=math.fsum(a) / n,
        b=math.fsum(b) / n,
        difference=mean,
        low=interval.low,
        high=interval.high,
        ratio=ratio.value,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        p_value=sign_flip_p(differences, seed=seed)[0],
        mde=smallest_detectable_mean(error, n - 1, most=math.inf) if error else None,
        test="sign flips",
        method="Student",
    )


_NOTHING = Shift(0, *(None,) * 10, test="none", method="none")
