"""What a comparison could have seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from harness.stats import student
from harness.stats.intervals import score_bounds

ALPHA = 0.05
POWER = 0.8


def smallest_detectable_difference(n: int, discordant: int) -> float | None:
    """Smallest true difference of two paired proportions found with probability ``POWER`` at two-sided ``ALPHA``.

    MDE = (z_(alpha/2) + z_beta) sqrt(psi / n), where psi is the share of discordant pairs. When none was seen, psi is
    not 0: its Wilson upper bound is used, since a difference can hide there. None when n is 0; never above 1.

    Source: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43
    (1987), with the term in the difference itself left out (it only makes the MDE smaller).
    """
    if n == 0:
        return None
    psi = discordant / n if discordant else score_bounds(0, n)[1]
    normal = NormalDist()
    return min(1.0, (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)) * math.sqrt(psi / n))


def smallest_detectable_mean(error: float, df: float, *, most: float = 1.0) -> float:
    """The same of two paired means, from the standard error of their difference: (t_(alpha/2) + t_beta) SE.

    With Student's quantiles of ``df`` degrees of freedom, which is what few questions cost. Never above ``most``: 1 is
    the largest difference that scores can have.

    Source: Miller, "Adding error bars to evals", arXiv 2411.00640 (2024), with t in place of z.
    """
    return min(most, (student.quantile(1 - ALPHA / 2, df) + student.quantile(POWER, df)) * error)


def smallest_detectable_shift(low: float, high: float) -> float:
    """Smallest true shift of a median found with probability ``POWER``, from the bounds of its 95 % interval.

    (z_(alpha/2) + z_beta) SE, where SE = (high - low) / (2 z_(alpha/2)): the interval as wide as a normal one would be.

    Source: McKean & Schrader, "A comparison of methods for studentizing the sample median", Communications in
    Statistics - Simulation and Computation 13 (1984), for the error from the order statistics.
    """
    normal = NormalDist()
    alpha = normal.inv_cdf(1 - ALPHA / 2)
    return (alpha + normal.inv_cdf(POWER)) * (high - low) / (2 * alpha)


def planned_error(between: float, within: Sequence[float], n: int, repeats: float) -> float:
    """Standard error of a paired difference that ``n`` questions asked ``repeats`` times each would have.

    sqrt((omega_d^2 + (sigma_A^2 + sigma_B^2) / K) / n): repeats lessen only what luck adds, questions lessen all.

    Args:
        between: variance of the questions' true differences (omega_d^2).
        within: variance of one try about its question's mean, of A and of B (sigma_A^2, sigma_B^2).
        n: questions.
        repeats: tries of each question (K).

    Source: Miller, arXiv 2411.00640 (2024).
    """
    return math.sqrt((between + sum(within) / repeats) / n)
