"""Tonight against the last good nights: what the next night would show if nothing had changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import NamedTuple

from harness.stats import student
from harness.stats.blocks import added
from harness.stats.change import Asked, Change, Count, Estimate, Sides, found, middle, untested, usable
from harness.stats.intervals import Interval
from harness.stats.serial import correlated

FEWEST_NIGHTS = 5
"""Good nights below which nothing is said of the next."""
FLOOR = 0.05
"""Standard deviation from night to night that is assumed at least, as a share: a few alike nights are no proof that all
are, and what a gate cries over should be more than this."""
_FEWEST_ALIKE = 4
"""Nights up to which the bias is as large as what it is taken from."""
_MOST_ALIKE = 0.8


class Likeness(NamedTuple):
    """What nights that resemble the one before are worth."""

    r: float
    """Lag-1 autocorrelation, 0 where it is none or below 0; at most 0.8."""
    n: float
    """Effective number of nights: independent nights that would say as much about the mean."""


def likeness(values: Sequence[float]) -> Likeness:
    """Lag-1 autocorrelation of nights in time order, with its bias taken out, and the effective number of nights.

    r = (c_1 / c_0 + 1/n) / (1 - 4/n), n_eff = n (1 - r) / (1 + r). Where neighbours are not alike beyond chance
    (``serial.correlated``) r is 0: taking chance for likeness costs a tenth of the power, and a little of it does no
    harm, since tonight is then like last night too (docs/gates.md has the figures).

    Source: Marriott & Pope, "Bias in the estimation of autocorrelations", Biometrika 41 (1954), for the bias
    -(1 + 4 r) / n; Bartlett, JRSS 98 (1935), for the effective number.
    """
    n = len(values)
    if n <= _FEWEST_ALIKE or not correlated(values):
        return Likeness(0.0, float(n))
    mean = fmean(values)
    off = [value - mean for value in values]
    total = math.fsum(each * each for each in off)
    seen = math.fsum(off[i] * off[i + 1] for i in range(n - 1)) / total
    r = min(max((seen + 1 / n) / (1 - 4 / n), 0.0), _MOST_ALIKE)
    return Likeness(r, n * (1 - r) / (1 + r))


def against_nights(
    nights: Sequence[float | None], tonight: float | None, asked: Asked, *, floor: float = FLOOR
) -> Change:
    """Tonight's value against a prediction interval from the last good nights.

    On the scale of logarithms of a ratio: mean m and standard deviation s of the nights, s at least ``floor``; tonight
    lies t_(1 - alpha, n - 1) s sqrt(1 + 1/n) above m with probability alpha if it is drawn as they were. Where nights
    are like their neighbours n is the effective number of nights, and s grows by what that likeness hides of the spread
    (E s^2 = sigma^2 (1 - 1/n_eff) / (1 - 1/n)). ``base`` is the nights' mean, ``low`` and ``high`` those of tonight's
    ratio to it: tonight is outside the interval where its bound leaves out no change.

    Args:
        nights: one value a night, the oldest first; those that cannot be used are left out.
        tonight: None: not measured.
        asked: scale, direction, margin and alpha.
        floor: least standard deviation, as a share for a ratio, in the metric's unit for a difference.

    Source: Hahn & Meeker, "Statistical intervals" (1991), section 4.7, for the prediction interval; Wilks, "Statistical
    methods in the atmospheric sciences", 3rd ed. (2011), section 5.2.4, for the effective number.
    """
    kept = _last(nights, asked)
    base = middle(kept, asked)
    sides = Sides(base, tonight if usable(tonight, asked) else None)
    if sides.candidate is None:
        return untested(asked, sides, n=len(kept), why="tonight has no value")
    if base is None or len(kept) < FEWEST_NIGHTS:
        return untested(asked, sides, n=len(kept), why=_too_few(len(kept)))
    spread = _spread(kept, asked, floor)
    if spread.sd == 0:
        return untested(asked, sides, n=len(kept), why="all nights are exactly the same, which bounds nothing")
    moved = asked.worsening(sides.candidate / base if asked.scale == "ratio" else sides.candidate - base)
    estimate = Estimate(moved, spread.sd * math.sqrt(1 + 1 / spread.n), spread.n - 1)
    return found(asked, estimate, sides, n=len(kept), method=spread.method)


def against_share_nights(nights: Sequence[Count], tonight: Count, asked: Asked, *, floor: float = 0.0) -> Change:
    """Tonight's share, such as failed requests or right answers, against those of the last good nights.

    As ``against_nights`` on the difference of shares, with an error no smaller than so many requests alone give; and p
    of no change is the larger of that one and of the beta-binomial prediction of tonight's count from all nights added
    up, which holds for shares near 0 and 1 where no normal distribution does.

    Args:
        nights: failures and requests of each night, the oldest first; nights without requests are left out.
        tonight: the same of tonight.
        asked: scale ``difference``, direction, margin and alpha.
        floor: least standard deviation from night to night, as a share.

    Source: Hahn & Meeker, "Statistical intervals" (1991), chapter 6, for predicted counts; Jeffreys' prior
    Beta(1/2, 1/2) as in Brown, Cai & DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16
    (2001).

    Raises:
        ValueError: a ratio is asked for.
    """
    if asked.scale == "ratio":
        raise ValueError("shares are compared by their difference: a ratio of no failures is nothing")
    kept = [night for night in nights if night.n]
    total = added(kept)
    if tonight.share is None:
        return untested(asked, Sides(total.share, None), n=len(kept), why="tonight has no requests")
    if len(kept) < FEWEST_NIGHTS:
        return untested(asked, Sides(total.share, tonight.share), n=len(kept), why=_too_few(len(kept)))
    mean, spread = fmean(night.of / night.n for night in kept), _share_spread(kept, tonight.n, asked, floor)
    estimate = Estimate(asked.worsening(tonight.share - mean), spread.sd, spread.n - 1)
    change = found(
        asked, estimate, Sides(mean, tonight.share), n=len(kept), method=f"{spread.method}, and of so many requests"
    )
    bad = (total, tonight) if asked.better == "lower" else (_others(total), _others(tonight))
    assert change.p_changed is not None
    return replace(change, p_changed=max(change.p_changed, at_least(*bad)))


def expected(nights: Sequence[float | None], asked: Asked, *, floor: float = FLOOR) -> Interval:
    """Between what the next night is expected, in the metric's unit, confidence 1 - 2 alpha; None: too few nights."""
    kept = _last(nights, asked)
    base = middle(kept, asked)
    if base is None or len(kept) < FEWEST_NIGHTS:
        return Interval(None, None)
    spread = _spread(kept, asked, floor)
    half = student.quantile(1 - asked.alpha, spread.n - 1) * spread.sd * math.sqrt(1 + 1 / spread.n)
    if asked.scale == "ratio":
        return Interval(base * math.exp(-half), base * math.exp(half))
    return Interval(base - half, base + half)


def expected_share(nights: Sequence[Count], n: int, asked: Asked, *, floor: float = 0.0) -> Interval:
    """The same of a share, if the next night has ``n`` requests; within 0 and 1."""
    kept = [night for night in nights if night.n]
    if len(kept) < FEWEST_NIGHTS or n < 1:
        return Interval(None, None)
    mean, spread = fmean(night.of / night.n for night in kept), _share_spread(kept, n, asked, floor)
    half = student.quantile(1 - asked.alpha, spread.n - 1) * spread.sd
    return Interval(max(0.0, mean - half), min(1.0, mean + half))


def at_least(known: Count, tonight: Count) -> float:
    """P that at least ``tonight.of`` of ``tonight.n`` are so, predicted from ``known``: beta-binomial, Jeffreys."""
    a, b, n = known.of + 0.5, known.n - known.of + 0.5, tonight.n
    whole = _log_beta(a, b)
    total = 0.0
    # The shorter tail is added up, so that it keeps its digits.
    below = tonight.of <= n * a / (a + b)
    for k in range(tonight.of) if below else range(tonight.of, n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        total += math.exp(ways + _log_beta(a + k, b + n - k) - whole)
    return min(1.0, max(0.0, 1 - total if below else total))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _others(count: Count) -> Count:
    return Count(count.n - count.of, count.n)


class _Spread(NamedTuple):
    """How nights vary, and on how many independent ones that rests."""

    sd: float
    n: float
    method: str


def _spread(kept: Sequence[float], asked: Asked, floor: float) -> _Spread:
    on_scale = [math.log(value) for value in kept] if asked.scale == "ratio" else list(kept)
    alike, n = likeness(on_scale), len(kept)
    effective = max(alike.n, 2.0)
    sd = stdev(on_scale) * math.sqrt((1 - 1 / n) / (1 - 1 / effective))
    method = f"prediction from {n} nights"
    if alike.r:
        method += f", alike like {effective:.1f} (r = {alike.r:.2f})"
    return _Spread(max(sd, floor), effective, method)


def _share_spread(kept: Sequence[Count], n: int, asked: Asked, floor: float) -> _Spread:
    """Error of the prediction of a share of ``n`` requests: that of nights, and no less than that of counts."""
    nights, total = _spread([night.of / night.n for night in kept], asked, floor), added(kept)
    wary = (total.of + 1) / (total.n + 2)
    counted = math.sqrt(wary * (1 - wary) * (1 / n + 1 / total.n))
    return nights._replace(sd=max(nights.sd * math.sqrt(1 + 1 / nights.n), counted))


def _last(nights: Sequence[float | None], asked: Asked) -> list[float]:
    return [night for night in nights if night is not None and usable(night, asked)]


def _too_few(n: int) -> str:
    return f"{n} good nights, {FEWEST_NIGHTS} are needed"
