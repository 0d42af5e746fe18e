"""Which part of a run was steady: after the start-up, before the drain."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

_BATCH = 5
_FEWEST = 50
"""Requests below which ten batches of five, half of which may be cut, are no ground for a decision."""


class Span(NamedTuple):
    """A stretch of time on the clock of the marks, both ends in it."""

    start_ns: int
    end_ns: int


class Steady(NamedTuple):
    """The whole run and its steady part: both are to be shown, always, with the reason."""

    whole: Span
    """First start to last end."""
    steady: Span | None
    """Where requests that started in it were measured under a steady load; None: no such part was found."""
    n: int
    """Requests in the run."""
    kept: int
    """Requests that started in the steady part."""
    reason: str
    """One line."""


def mser5(values: Sequence[float]) -> int | None:
    """How many leading values are start-up: a multiple of five; None: no steady part is in sight.

    The means of batches of five are cut at the d that makes sum((z_i - mean)^2) / (k - d)^2 of the k - d that stay
    the smallest, d up to half of the k. A smallest value at that edge says that the series still moves there.

    Source: White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69 (1997);
    White, Cobb & Spratt, "A comparison of five steady-state truncation heuristics for simulation", Proceedings of the
    Winter Simulation Conference (2000), for batches of five.
    """
    k = len(values) // _BATCH
    if k < 2:
        return None
    z = [fmean(values[i * _BATCH : (i + 1) * _BATCH]) for i in range(k)]
    # Sums from the end on, about the mean: the difference of large squares would lose its digits.
    centre = fmean(z)
    total = squares = 0.0
    score = [0.0] * k
    for d in range(k - 1, -1, -1):
        total += z[d] - centre
        squares += (z[d] - centre) ** 2
        score[d] = max(0.0, squares - total * total / (k - d)) / (k - d) ** 2
    edge = k // 2
    # Of equal scores the first: it cuts least.
    best = min(range(edge + 1), key=score.__getitem__)
    return None if best == edge else best * _BATCH


def steady_window(starts_ns: Sequence[int], ends_ns: Sequence[int]) -> Steady | None:
    """The steady part of a run; None: nothing was sent. Both lists are by request, in any order, failed ones too.

    It begins where ``mser5`` cuts the later of two series in order of starting: how long each request took, and how
    many were under way when it was sent. It ends with the last start: from there on nothing is added and
    what is under way only drains.

    Raises:
        ValueError: the two are not of one length.
    """
    pairs = sorted(zip(starts_ns, ends_ns, strict=True))
    if not pairs:
        return None
    n = len(pairs)
    whole = Span(pairs[0][0], max(end for _, end in pairs))
    if n < _FEWEST:
        return Steady(whole, None, n, 0, f"{n} requests are too few to tell start-up from steady state")
    cuts = {
        "latency": mser5([end - start for start, end in pairs]),
        "requests under way": mser5(under_way(pairs)),
    }
    moving = [name for name, cut in cuts.items() if cut is None]
    if moving:
        return Steady(whole, None, n, 0, f"{' and '.join(moving)} had not settled by the middle of the run (MSER-5)")
    by, cut = max(((name, cut or 0) for name, cut in cuts.items()), key=lambda pair: pair[1])
    steady = Span(pairs[cut][0], pairs[-1][0])
    said = f"the first {cut} of {n} requests are start-up (MSER-5 of {by})" if cut else "no start-up seen (MSER-5)"
    drain_s = (whole.end_ns - steady.end_ns) / 1e9
    kept = sum(start >= steady.start_ns for start, _ in pairs)
    return Steady(whole, steady, n, kept, f"{said}; the last {drain_s:.3g} s, in which nothing started, are the drain")


def under_way(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Requests under way at each start, itself included, for (start, end) in order of starting."""
    ends: list[int] = []
    counts = []
    for start, end in pairs:
        while ends and ends[0] <= start:
            heapq.heappop(ends)
        heapq.heappush(ends, end)
        counts.append(len(ends))
    return counts
