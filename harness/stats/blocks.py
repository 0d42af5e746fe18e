"""Blocks of requests of a base and a candidate that took turns.

A block is one measurement. Requests of different blocks are never thrown together: what changes between blocks, such as
who else is on the server, is in all requests of a block alike, and a test over pooled requests takes it for a
difference (tests/bench/gates.py has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from harness.stats.change import Asked, Change, Count, Estimate, Sides, found, middle, untested, usable

FEWEST_BLOCKS = 3
"""Pairs of blocks below which nothing is tested. Five and more are what a gate wants."""
FLOOR = 0.005
"""Standard deviation of a block's log-ratio that is assumed at least: blocks that agree to the last digit are no proof
that the next one would."""


def paired_blocks(base: Sequence[float | None], candidate: Sequence[float | None], asked: Asked) -> Change:
    """A statistic of each block (a median, a percentile, a rate) of base and candidate, pair by pair in time.

    Student's t of the pairs' log-ratios ln(candidate / base), or of their differences: whatever both blocks of a pair
    have in common, drift through the day above all, is not in them. With blocks in the order ABBA a steady drift within
    pairs cancels as well. The sides' own figures are the means over blocks (geometric ones of a ratio).

    Args:
        base: one value a block; None, not finite, or of a ratio not above 0: that pair is left out and counted.
        candidate: the same blocks.
        asked: scale, direction, margin and alpha.

    Source: Student, Biometrika 6 (1908), for paired differences; Box, Hunter & Hunter, "Statistics for experimenters",
    2nd ed. (2005), chapter 3, for blocks; Kohavi & Deng, "Trustworthy online controlled experiments" (2020), chapter
    18, for ratios by logarithms.

    Raises:
        ValueError: the two have not the same number of blocks.
    """
    pairs = [(a, b) for a, b in zip(base, candidate, strict=True) if usable(a, asked) and usable(b, asked)]
    n = len(pairs)
    sides = Sides(middle([a for a, _ in pairs], asked), middle([b for _, b in pairs], asked), len(base) - n)
    if n < FEWEST_BLOCKS:
        return untested(asked, sides, n=n, why=_too_few(n))
    moved = [asked.worsening(b / a if asked.scale == "ratio" else b - a) for a, b in pairs]
    spread = stdev(moved)
    if asked.scale == "ratio":
        spread = max(spread, FLOOR)
    elif spread == 0:
        return untested(asked, sides, n=n, why="all blocks differ by exactly the same, which bounds nothing")
    estimate = Estimate(fmean(moved), spread / math.sqrt(n), n - 1)
    return found(asked, estimate, sides, n=n, method="Student's t over pairs of blocks")


def paired_shares(base: Sequence[Count], candidate: Sequence[Count], asked: Asked) -> Change:
    """Shares of each block, such as failed requests, pair by pair: Student's t of the differences of shares.

    Where blocks agree better than so many requests can (no failure in any of them, for one), the error is that of the
    counts added up, by Agresti and Caffo, and the degrees of freedom stay those of the blocks.

    Args:
        base: failures and requests of each block; a pair with no request on one side is left out and counted.
        candidate: the same blocks.
        asked: scale ``difference``, direction, margin and alpha.

    Source: Agresti & Caffo, "Simple and effective confidence intervals for proportions and differences of proportions",
    The American Statistician 54 (2000).

    Raises:
        ValueError: the two have not the same number of blocks, or a ratio is asked for.
    """
    _refuse_ratio(asked)
    pairs = [(a, b) for a, b in zip(base, candidate, strict=True) if a.n and b.n]
    n = len(pairs)
    first, second = (added(pair[side] for pair in pairs) for side in (0, 1))
    sides = Sides(first.share, second.share, len(base) - n)
    if n < FEWEST_BLOCKS:
        return untested(asked, sides, n=n, why=_too_few(n))
    differences = [b.of / b.n - a.of / a.n for a, b in pairs]
    error = max(stdev(differences) / math.sqrt(n), count_error(first, second))
    estimate = Estimate(asked.worsening(fmean(differences)), error, n - 1)
    return found(asked, estimate, sides, n=n, method="Student's t over pairs of blocks, no narrower than counts")


def count_error(base: Count, candidate: Count) -> float:
    """Standard error of the difference of two shares of independent requests; above 0 also where none failed.

    sqrt(sum of p (1 - p) / (n + 2)) with p = (of + 1) / (n + 2).

    Source: Agresti & Caffo, The American Statistician 54 (2000).
    """
    return math.sqrt(sum(_wary_variance(side) for side in (base, candidate)))


def _wary_variance(side: Count) -> float:
    p = (side.of + 1) / (side.n + 2)
    return p * (1 - p) / (side.n + 2)


def added(counts: Iterable[Count]) -> Count:
    """All of them together."""
    listed = list(counts)
    return Count(sum(each.of for each in listed), sum(each.n for each in listed))


def _too_few(n: int) -> str:
    return f"{n} pairs of blocks have values on both sides, {FEWEST_BLOCKS} are needed"


def _refuse_ratio(asked: Asked) -> None:
    if asked.scale == "ratio":
        raise ValueError("shares are compared by their difference: a ratio of no failures is nothing")
