"""The mean of scores: its standard error and its interval, questions being alone or in clusters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Literal, NamedTuple

from harness.stats import student
from harness.stats.intervals import Interval, score_bounds, wilson
from harness.stats.resampling import bootstrap_t

Method = Literal["Wilson", "Student", "clustered", "bootstrap over clusters", "none"]

FEWEST_CLUSTERS = 20
"""Below it the clustered error is too small, and its t interval is not given."""
_FEWEST_RESAMPLED = 5
"""Clusters below which nothing can be said: five give 126 different resamples."""


class Cluster(NamedTuple):
    """Scores that belong together."""

    total: float
    n: int


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of scores in 0..1, each of one question."""

    n: int
    mean: float | None
    """None: no scores."""
    low: float | None
    """None: no scores, or too few clusters to bound it."""
    high: float | None
    standard_error: float | None
    """None: fewer than two questions, or clusters."""
    clusters: int | None
    """None: every question stands alone."""
    method: Method


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean of independent values, by the central limit theorem; None of fewer than two.

    Source: Miller, "Adding error bars to evals", arXiv 2411.00640 (2024).
    """
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def clustered_error(clusters: Sequence[Cluster]) -> float | None:
    """Standard error of the mean over all values, where those of one cluster may be alike; None of fewer than two.

    SE = sqrt(C / (C - 1) * sum over clusters of (sum of their deviations from the mean)^2) / n.

    Source: Miller, arXiv 2411.00640 (2024), with the factor C / (C - 1) of Cameron & Miller, "A practitioner's guide to
    cluster-robust inference", Journal of Human Resources 50 (2015).
    """
    count, n = len(clusters), sum(each.n for each in clusters)
    if count < 2:
        return None
    mean = sum(each.total for each in clusters) / n
    squares = math.fsum((each.total - mean * each.n) ** 2 for each in clusters)
    return math.sqrt(count / (count - 1) * squares) / n


def clustered(values: Sequence[float], names: Sequence[Hashable | None] | None) -> list[Cluster] | None:
    """The values by the names of their clusters; a value without one stands alone. None: all do.

    Raises:
        ValueError: there are not as many names as values.
    """
    if names is None:
        return None
    found: dict[Hashable, list[float]] = defaultdict(list)
    for place, (value, name) in enumerate(zip(values, names, strict=True)):
        found[("alone", place) if name is None else ("together", name)].append(value)
    if len(found) == len(values):
        return None
    return [Cluster(math.fsum(each), len(each)) for each in found.values()]


def student_interval(mean: float, error: float, df: float, confidence: float = 0.95) -> Interval:
    """Of a mean with its standard error, by Student's t with ``df`` degrees of freedom."""
    half = student.quantile(0.5 + confidence / 2, df) * error
    return Interval(mean - half, mean + half)


def mean_of(values: Sequence[float], clusters: Sequence[Hashable | None] | None = None, *, seed: int = 0) -> Mean:
    """The mean of scores in 0..1 with its 95 % interval.

    Right or wrong and alone: Wilson's. Other values: Student's t. In clusters: the clustered error with t of C - 1
    degrees of freedom, and with fewer than ``FEWEST_CLUSTERS`` the bootstrap over clusters. Where all values are equal
    the error is 0, which is no proof: then it is Wilson's too, since no score in 0..1 varies more than right or wrong.

    Args:
        values: one score of each question.
        clusters: a name for each value, None for one that stands alone; None: all stand alone.
        seed: of the bootstrap.
    """
    n = len(values)
    if n == 0:
        return Mean(0, None, None, None, None, None, "none")
    mean, groups = min(1.0, math.fsum(values) / n), clustered(values, clusters)
    error = standard_error(values) if groups is None else clustered_error(groups)
    units = n if groups is None else len(groups)
    method: Method
    if not error or (groups is None and all(value in (0.0, 1.0) for value in values)):
        # All of a cluster may be one and the same answer: then there are no more answers than clusters.
        (low, high), method = wilson(mean * units, units), "Wilson"
    elif groups is None:
        (low, high), method = student_interval(mean, error, n - 1), "Student"
    else:
        (low, high), method = cluster_interval(groups, mean, error, seed)
    within = Interval(None if low is None else max(0.0, low), None if high is None else min(1.0, high))
    return Mean(n, mean, within.low, within.high, error, None if groups is None else units, method)


def cluster_interval(
    groups: Sequence[Cluster], mean: float, error: float, seed: int
) -> tuple[Interval, Literal["clustered", "bootstrap over clusters", "none"]]:
    """95 % interval of a mean over clusters whose standard error is not 0, and how it was found."""
    if len(groups) >= FEWEST_CLUSTERS:
        return student_interval(mean, error, len(groups) - 1), "clustered"
    if len(groups) < _FEWEST_RESAMPLED:
        return Interval(None, None), "none"
    found, _ = bootstrap_t([each.total for each in groups], [each.n for each in groups], seed=seed)
    return found, "bootstrap over clusters"


def widest_share(n: int) -> float:
    """Largest share of questions that may differ although none of ``n`` did: Wilson's upper bound."""
    return score_bounds(0, n)[1]
