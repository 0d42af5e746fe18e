"""Comparing two endpoints on the same questions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.stats.intervals import Interval, quantile, quantile_interval, score_bounds
from harness.stats.means import (
    Cluster,
    cluster_interval,
    clustered,
    clustered_error,
    standard_error,
    student_interval,
    widest_share,
)
from harness.stats.power import smallest_detectable_difference, smallest_detectable_mean
from harness.stats.resampling import bootstrap_t, sign_flip_p
from harness.stats.serial import interval_in_time, p_in_time
from harness.stats.signs import sign_test

Test = Literal["McNemar exact", "McNemar mid-p", "sign flips", "none"]
MANY = 25
"""Discordant questions from which on the exact test is so much too strict that its mid-p is taken."""

Method = Literal["Newcombe", "Student", "clustered", "bootstrap over clusters", "none"]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """B minus A over the questions that both answered, in -1..1."""

    n: int
    difference: float | None
    """Mean score of B minus mean score of A; None when n is 0."""
    low: float | None
    """Of the 95 % interval; None when n is 0, or clusters are too few."""
    high: float | None
    p_value: float | None
    """Two-sided, not adjusted; 1.0 when nothing differs, None when n is 0."""
    a_ahead: int
    """Questions on which A scored more."""
    b_ahead: int
    mde: float | None
    """Smallest true difference that this many questions would have shown four times in five."""
    test: Test
    """How p was found."""
    method: Method
    """How the interval was found."""
    standard_error: float | None = None
    """Of the difference; None: fewer than two questions, or clusters."""
    clusters: int | None = None
    """None: every question stands alone."""
    bootstrap: Interval | None = None
    """Bootstrap-t interval of scores that are not only right or wrong; None: not drawn."""
    draws: int = 0
    """Flips and resamples that were drawn; 0: none, or all flips were counted."""


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[Hashable | None] | None = None,
    *,
    seed: int = 0,
    draws: int | None = None,
) -> PairedDifference:
    """Difference of two mean scores over matched questions.

    Right or wrong once each: McNemar, exact below ``MANY`` discordant questions and mid-p from there on, with the
    interval of Newcombe. Any other scores, means of repeats, and questions in clusters: sign flips, with Student's t of
    the questions' differences or of their clusters.

    Args:
        a: score of A on each question, 0..1.
        b: score of B on the same questions.
        clusters: a name for each question, None for one that stands alone; None: all stand alone.
        seed: of whatever is drawn.
        draws: how often; None: as often as suits the number of questions.

    Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17 (1998), method 10 (score intervals squared and added, with the continuity-corrected
    phi); McNemar, Psychometrika 12 (1947), in its binomial form; Fagerland, Lydersen & Laake, "The McNemar test for
    binary matched-pairs data", BMC Medical Research Methodology 13 (2013), for its mid-p; Miller, arXiv 2411.00640
    (2024), for the paired and the clustered error.

    Raises:
        ValueError: the lists are not of one length.
    """
    differences = [y - x for x, y in zip(a, b, strict=True)]
    if not differences:
        return PairedDifference(0, None, None, None, None, 0, 0, None, "none", "none")
    groups = clustered(differences, clusters)
    if groups is None and all(value in (0, 1) for value in (*a, *b)):
        return _of_shares(a, differences)
    return _of_means(differences, groups, seed, draws)


def _of_shares(a: Sequence[float], differences: Sequence[float]) -> PairedDifference:
    n, only_a, only_b = len(differences), differences.count(-1), differences.count(1)
    both = round(sum(a)) - only_a
    low, high = _newcombe(both, only_b, only_a, n - both - only_a - only_b)
    return PairedDifference(
        n=n,
        difference=(only_b - only_a) / n,
        low=low,
        high=high,
        p_value=sign_test(only_a, only_b, mid=only_a + only_b >= MANY),
        a_ahead=only_a,
        b_ahead=only_b,
        mde=smallest_detectable_difference(n, only_a + only_b),
        test="McNemar exact" if only_a + only_b < MANY else "McNemar mid-p",
        method="Newcombe",
        standard_error=standard_error(differences),
    )


def _of_means(
    differences: Sequence[float], groups: Sequence[Cluster] | None, seed: int, draws: int | None
) -> PairedDifference:
    n = len(differences)
    mean = math.fsum(differences) / n
    units = [Cluster(value, 1) for value in differences] if groups is None else groups
    error = clustered_error(units)
    p_value, flips = sign_flip_p([each.total for each in units], seed=seed, draws=draws)
    resampled, drawn = bootstrap_t(*zip(*units, strict=True), seed=seed, draws=draws) if error else (None, 0)
    found: Method = "Student"
    if not error:
        # Equal differences are no proof that all are: some share of the others may be as far off as can be.
        share = widest_share(len(units))
        low, high = Interval(mean - share, mean + share)
        mde = smallest_detectable_difference(len(units), 0)
    else:
        low, high = student_interval(mean, error, len(units) - 1)
        if groups is not None:
            (low, high), found = cluster_interval(groups, mean, error, seed)
        mde = smallest_detectable_mean(error, len(units) - 1)
    return PairedDifference(
        n=n,
        difference=mean,
        low=None if low is None else max(-1.0, low),
        high=None if high is None else min(1.0, high),
        p_value=p_value,
        a_ahead=sum(value < 0 for value in differences),
        b_ahead=sum(value > 0 for value in differences),
        mde=mde,
        test="sign flips",
        method=found,
        standard_error=error,
        clusters=None if groups is None else len(groups),
        bootstrap=resampled,
        draws=max(flips, drawn),
    )


def _newcombe(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, float]:
    """95 % bounds of p1 - p2 where p1 = (both + only_first) / n."""
    n = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    p1, p2 = first / n, second / n
    l1, u1 = score_bounds(first, n)
    l2, u2 = score_bounds(second, n)
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


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """B over A, matched by prompt."""

    n: int
    ratio: float | None
    """Median of the per-prompt ratios; None when n is 0."""
    low: float | None
    """None: n is too small to bound it."""
    high: float | None
    p_value: float | None
    """Two-sided, of a median of 1; None: n is too small for what neighbours have in common."""


def paired_ratio(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, *, blocks: bool = False
) -> PairedRatio:
    """Median ratio of two positive measures over matched prompts, with its order-statistic interval.

    It holds for the one sitting it was measured in: what changes between sittings is not in it.

    The interval is that of independent ratios. Requests that share a busy server are not: with a lag-1 autocorrelation
    of 0.6 two equal endpoints are called different in a fifth of all runs (tests/test_stats_aa.py). With ``blocks`` the
    two are in time order, and where neighbouring ratios are alike the interval is that of batch means as well.

    Raises:
        ValueError: the two are not of one length.
    """
    ratios = [y / x for x, y in zip(a, b, strict=True) if x > 0]
    low, high = interval_in_time(ratios, 0.5, confidence)[0] if blocks else quantile_interval(ratios, 0.5, confidence)
    p_value = p_in_time(ratios, 1.0, alike=None if blocks else False) if ratios else None
    return PairedRatio(len(ratios), quantile(ratios, 0.5), low, high, p_value)
