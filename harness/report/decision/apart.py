"""Who is told apart from whom in one measure, and so who is tied with the best."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from harness.stats.family import Ranks, benjamini_hochberg, rank_ranges
from harness.stats.mover import Estimate, difference, p_of_zero
from harness.stats.power import ALPHA

Pair = tuple[str, str]
Apart = frozenset[Pair]
"""Pairs (better, worse)."""


class Order(NamedTuple):
    """How endpoints stand in one measure."""

    best: str
    """The one with the best estimate, or one that is told to be better than it."""
    tied: tuple[str, ...]
    """Those that are not told to be worse than it, the best estimate first."""
    worse: tuple[str, ...]
    ranks: Mapping[str, Ranks]


def independent(measures: Mapping[str, Estimate], *, more: bool) -> Apart:
    """Of measures that were estimated independently: each pair's difference, by its own interval."""
    pairs = {
        (one, other): difference(measures[one], measures[other]).times(1 if more else -1)
        for one, other in combinations(measures, 2)
    }
    return told_apart(pairs)


def told_apart(advantages: Mapping[Pair, Estimate]) -> Apart:
    """Pairs whose difference is not 0: p at most 0.05, adjusted by Benjamini-Hochberg for all of these pairs.

    ``advantages`` says by how much the first of each pair is better than the second. What is not bounded towards 0 is
    not told apart, and it is among the pairs for which the others are adjusted. Known figures are no tests: they are
    told apart wherever they differ.
    """
    tested = {pair: found for pair, found in advantages.items() if not (found.low == found.value == found.high)}
    known = {pair: found for pair, found in advantages.items() if pair not in tested and found.value}
    p_values = [1.0 if (p := p_of_zero(found)) is None else p for found in tested.values()]
    adjusted = zip(tested.items(), benjamini_hochberg(p_values), strict=True)
    seen = {pair: found for (pair, found), p in adjusted if p <= ALPHA} | known
    return frozenset(pair if found.value > 0 else pair[::-1] for pair, found in seen.items())


def order(values: Mapping[str, float], apart: Apart, *, more: bool) -> Order | None:
    """Who is best, who is tied with it, and the ranks that cannot be ruled out; None: nobody has a value."""
    if not values:
        return None
    names = sorted(values, key=values.__getitem__, reverse=more)
    # A comparison on matched questions may contradict the means over all: then it is the matched ones that count.
    best = next((name for name in names if not any((other, name) in apart for other in names)), names[0])
    worse = tuple(name for name in names if (best, name) in apart)
    tied = tuple(name for name in names if name != best and name not in worse)
    among = frozenset(pair for pair in apart if pair[0] in values and pair[1] in values)
    return Order(best, tied, worse, rank_ranges(names, among))
