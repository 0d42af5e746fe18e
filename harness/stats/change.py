"""A candidate against a base on one metric: by how much it is worse, and what the data say of a margin.

Everything is worked out on the scale of the worsening: the logarithm of a ratio, or a difference, turned so that above
0 is worse whichever way the metric counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, NamedTuple, TypeGuard

from harness.stats import student
from harness.stats.power import POWER

Scale = Literal["ratio", "difference"]
Better = Literal["lower", "higher"]


class Count(NamedTuple):
    """So many of so many: failures of requests, right answers of questions."""

    of: int
    n: int

    @property
    def share(self) -> float | None:
        """0 to 1; None: of none."""
        return self.of / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a metric: which way it counts, how much worse would matter, and how sure one has to be."""

    scale: Scale
    better: Better
    margin: float
    """Above or at 0. Of a ratio the share by which it may get worse (0.1: 10 % more where lower is better, 10 % less
    where higher is), of a difference an amount in the metric's unit (0.01 of a share: one point)."""
    alpha: float
    """One-sided; the interval that is shown has confidence 1 - 2 alpha, so that bound and test agree."""

    def worsening(self, value: float) -> float:
        """A ratio (candidate / base, above 0) or a difference on the scale of the worsening."""
        on_scale = math.log(value) if self.scale == "ratio" else value
        return on_scale if self.better == "lower" else -on_scale

    def value(self, worsening: float) -> float:
        """The other way round: a ratio or a difference."""
        on_scale = worsening if self.better == "lower" else -worsening
        return math.exp(on_scale) if self.scale == "ratio" else on_scale

    def amount(self, worsening: float) -> float:
        """A worsening of at least 0 in the unit of the margin."""
        return abs(self.value(worsening) - (1.0 if self.scale == "ratio" else 0.0))

    @property
    def limit(self) -> float:
        """The margin on the scale of the worsening.

        Raises:
            ValueError: the margin is below 0, or it is all of a ratio of which higher is better.
        """
        if self.margin < 0 or (self.scale == "ratio" and self.better == "higher" and self.margin >= 1):
            raise ValueError(f"{self.margin} is no margin of a {self.scale} of which {self.better} is better")
        if self.scale == "difference":
            return self.margin
        return math.log1p(self.margin) if self.better == "lower" else -math.log1p(-self.margin)


@dataclass(frozen=True, slots=True)
class Change:
    """What was found; every figure but ``n`` is None where it cannot be given, and then ``why`` says why."""

    asked: Asked
    n: int
    """Independent units: blocks, nights, runs of the smaller side, or questions."""
    base: float | None
    """In the metric's unit."""
    candidate: float | None
    value: float | None
    """Candidate over base, or candidate minus base."""
    low: float | None
    """Of the interval of ``value``, confidence 1 - 2 alpha."""
    high: float | None
    p_changed: float | None
    """One-sided p of "it is not worse at all"."""
    p_worse: float | None
    """One-sided p of "it is worse by the margin at most": small where it is proven worse than the margin."""
    p_not_worse: float | None
    """One-sided p of "it is worse by the margin or more": small where it is proven not worse."""
    mde: float | None
    """Smallest true worsening that would have been told from none four times in five, in the unit of the margin."""
    method: str
    why: str = ""
    """Why nothing can be said; empty: something can."""
    dropped: int = 0
    """Units left out since one of their sides has no value."""

    @property
    def beyond(self) -> bool:
        """Whether what was seen is worse than the margin, proven or not."""
        return self.value is not None and self.asked.worsening(self.value) > self.asked.limit

    @property
    def resolved(self) -> bool:
        """Whether a worsening of the margin would have been told from none: the MDE is at most the margin."""
        return self.mde is not None and self.mde <= self.asked.margin * (1 + 1e-9)


def usable(value: float | None, asked: Asked) -> TypeGuard[float]:
    """Whether a value can be compared: it is there and finite, and above 0 where ratios are taken."""
    return value is not None and math.isfinite(value) and (asked.scale == "difference" or value > 0)


def middle(values: Sequence[float], asked: Asked) -> float | None:
    """Mean of usable values on their scale: the geometric one of a ratio; None of no values."""
    if not values:
        return None
    return math.exp(fmean(map(math.log, values))) if asked.scale == "ratio" else fmean(values)


class Sides(NamedTuple):
    """What base and candidate show by themselves, in the metric's unit."""

    base: float | None
    candidate: float | None
    dropped: int = 0
    """Units left out since one of their sides has no value."""


class Estimate(NamedTuple):
    """A worsening with its standard error, of Student's t with so many degrees of freedom."""

    worsening: float
    error: float
    """Above 0."""
    df: float


def found(asked: Asked, estimate: Estimate, sides: Sides, *, n: int, method: str) -> Change:
    """Everything that follows from an estimate: interval, the three p-values and the MDE.

    p_worse = P(T > (w - m) / SE), p_not_worse = P(T < (w - m) / SE), p_changed = P(T > w / SE), w the worsening and m
    the margin on its scale; MDE = (t_(1 - alpha) + t_(power)) SE. Interval: w -+ t_(1 - alpha) SE.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure", J. Pharmacokinet. Biopharm. 15 (1987), for
    tests against a margin; ICH E9 (1998), section 3.3.2, for non-inferiority; Miller, arXiv 2411.00640, for the MDE.
    """
    w, error, df = estimate
    half = student.quantile(1 - asked.alpha, df) * error
    bounds = sorted((asked.value(w - half), asked.value(w + half)))
    beyond = (w - asked.limit) / error
    return Change(
        asked=asked,
        n=n,
        base=sides.base,
        candidate=sides.candidate,
        value=asked.value(w),
        low=bounds[0],
        high=bounds[1],
        p_changed=student.upper_tail(w / error, df),
        p_worse=student.upper_tail(beyond, df),
        p_not_worse=student.upper_tail(-beyond, df),
        mde=asked.amount(half + student.quantile(POWER, df) * error),
        method=method,
        dropped=sides.dropped,
    )


def untested(asked: Asked, sides: Sides, *, n: int, why: str) -> Change:
    """No test, and why."""
    return Change(asked, n, *sides[:2], *(None,) * 7, method="none", why=why, dropped=sides.dropped)
