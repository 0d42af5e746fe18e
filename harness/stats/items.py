"""Quality of a candidate against a base on the same questions, with a margin."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist

from harness.stats.change import Asked, Change, Estimate, Sides, found, untested
from harness.stats.means import widest_share
from harness.stats.paired import paired_difference
from harness.stats.power import POWER

FEWEST_ITEMS = 10
"""Questions below which nothing is tested."""


def paired_items(
    base: Sequence[float], candidate: Sequence[float], asked: Asked, clusters: Sequence[Hashable | None] | None = None
) -> Change:
    """Scores in 0..1 of the same questions, question by question.

    Right or wrong and each alone: Tango's score test of the difference at no change and at the margin, since a margin
    of a difference of shares has no exact binomial test; the interval is that of the same test. Other scores, and
    questions in clusters: Student's t of the questions' (clusters') differences. The MDE is of a test at alpha from the
    same error.

    Args:
        base: score of the base on each question.
        candidate: the same questions.
        asked: scale ``difference``, direction (scores: higher), margin as a share and alpha.
        clusters: a name for each question, None for one that stands alone; None: all do.

    Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998); Miller, arXiv 2411.00640 (2024), for the others.

    Raises:
        ValueError: the lists are not of one length, or a ratio is asked for.
    """
    if asked.scale == "ratio":
        raise ValueError("scores are compared by their difference")
    seen = paired_difference(base, candidate, clusters, draws=1)
    n = seen.n
    sides = Sides(math.fsum(base) / n, math.fsum(candidate) / n) if n else Sides(None, None)
    if n < FEWEST_ITEMS or seen.difference is None:
        why = f"{n} questions have a score on both sides, {FEWEST_ITEMS} are needed"
        return untested(asked, sides, n=n, why=why)
    if seen.method == "Newcombe":
        return _of_shares(n, seen.a_ahead, seen.b_ahead, asked, sides)
    units = seen.clusters or n
    error = seen.standard_error or widest_share(units)
    estimate = Estimate(asked.worsening(seen.difference), error, units - 1)
    method = "Student's t over questions" if seen.clusters is None else "Student's t over clusters"
    return found(asked, estimate, sides, n=n, method=method)


def _of_shares(n: int, lost: int, won: int, asked: Asked, sides: Sides) -> Change:
    """``lost`` questions only the base has right, ``won`` only the candidate."""
    worse, better = (lost, won) if asked.better == "higher" else (won, lost)
    normal = NormalDist()
    z_alpha, z_power = normal.inv_cdf(1 - asked.alpha), normal.inv_cdf(POWER)
    bounds = sorted(asked.value(tango_bound(n, worse, better, z)) for z in (z_alpha, -z_alpha))
    at_margin = tango(n, worse, better, asked.limit)
    # None differed: that is no proof that none would, so the share that may differ is bounded from above.
    share = (worse + better) / n or widest_share(n)
    return Change(
        asked=asked,
        n=n,
        base=sides.base,
        candidate=sides.candidate,
        value=asked.value((worse - better) / n),
        low=bounds[0],
        high=bounds[1],
        p_changed=1 - normal.cdf(tango(n, worse, better, 0.0)),
        p_worse=1 - normal.cdf(at_margin),
        p_not_worse=normal.cdf(at_margin),
        mde=min(1.0, (z_alpha + z_power) * math.sqrt(share / n)),
        method="Tango's score test",
    )


def tango(n: int, worse: int, better: int, difference: float) -> float:
    """The z of "the share of questions that got worse less those that got better is ``difference``", by the score test.

    z = (b - c - n d) / sqrt(n (2 q + d (1 - d))), q the share of c under that difference by maximum likelihood:
    q = (sqrt(B^2 - 8 n C) - B) / (4 n), B = -b - c + (2 n - b + c) d, C = -c d (1 - d).

    Source: Tango, Statistics in Medicine 17 (1998), section 2.
    """
    b, c, d = worse, better, difference
    off = b - c - n * d
    if off == 0:
        return 0.0
    linear, rest = -b - c + (2 * n - b + c) * d, -c * d * (1 - d)
    q = (math.sqrt(max(0.0, linear * linear - 8 * n * rest)) - linear) / (4 * n)
    variance = n * (2 * q + d * (1 - d))
    return off / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, off)


def tango_bound(n: int, worse: int, better: int, z: float) -> float:
    """The difference at which the score test has this ``z``: a bound of its interval, -1..1."""
    low, high = -1.0, 1.0  # z falls as the difference rises
    for _ in range(60):
        at = (low + high) / 2
        low, high = (at, high) if tango(n, worse, better, at) > z else (low, at)
    return (low + high) / 2
