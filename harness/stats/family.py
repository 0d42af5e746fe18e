"""Many comparisons at once: p-values adjusted for how many there are, and the ranks that they leave possible."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of each: calling those up to q different keeps the expected share of wrong calls at q or below.

    Adjusted p of the i-th smallest of m: the least of m p_j / j over j from i on, at most 1. It holds for tests that
    are independent or depend positively on each other, as comparisons with one baseline do.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995); Benjamini & Yekutieli,
    Annals of Statistics 29 (2001), for the dependence.
    """
    m = len(p_values)
    adjusted, least = [1.0] * m, 1.0
    for position, at in enumerate(sorted(range(m), key=p_values.__getitem__, reverse=True)):
        least = min(least, p_values[at] * m / (m - position))
        adjusted[at] = least
    return adjusted


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of each: calling those up to alpha different keeps the chance of any wrong call at alpha or below.

    Adjusted p of the i-th smallest of m: the largest of (m - j + 1) p_j over j up to i, at most 1. It holds whatever
    the tests have to do with each other.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. of Statistics 6 (1979).
    """
    m = len(p_values)
    adjusted, most = [1.0] * m, 0.0
    for position, at in enumerate(sorted(range(m), key=p_values.__getitem__)):
        most = max(most, min(1.0, p_values[at] * (m - position)))
        adjusted[at] = most
    return adjusted


class Ranks(NamedTuple):
    """The ranks that an endpoint can have; 1 is the best."""

    best: int
    worst: int


def rank_ranges(names: Sequence[str], better: Collection[tuple[str, str]]) -> dict[str, Ranks]:
    """Ranks that the pairwise comparisons leave possible, from the pairs (better, worse) that were told apart.

    The best rank of an endpoint is one more than the number that are better than it, its worst rank is all less the
    number that are worse. With comparisons adjusted by Benjamini-Hochberg the share of wrong calls among them is
    bounded, not the chance of any wrong one, so the ranges are not simultaneous confidence intervals of ranks.

    Source: Mogstad, Romano, Shaikh & Wilhelm, "Inference for ranks", Review of Economic Studies 91 (2024).
    """
    return {
        name: Ranks(
            1 + sum(loser == name for _, loser in better), len(names) - sum(winner == name for winner, _ in better)
        )
        for name in names
    }
