"""The highest load that still meets an SLO: which level to try next, and what the tried ones say.

Pure: every decision follows from the levels tried so far, so a search that was interrupted goes on where it stood, and
the journal of one shows why it went where it went.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.slo import Met

REPEATS = 2
"""How often an undecided level is asked again with more requests."""
RESOLUTION = 1.1
"""Ratio of the lowest missed to the highest met level at which the search ends."""


class Tried(NamedTuple):
    """The verdict on one level; of several on one level the last counts, made of all its requests together."""

    level: float
    """Requests at once, or requests per second."""
    verdict: Met
    n: int
    """Requests that it rests on."""


class Probe(NamedTuple):
    """What to try next."""

    level: float
    repeat: int
    """0: for the first time; k: for the k-th time again, since all requests so far left it undecided."""


class Found(NamedTuple):
    """What a search has shown; the highest load that meets the SLO is at least ``best`` and below ``missed``."""

    best: float | None
    """Highest level met below every missed one; None: none."""
    missed: float | None
    """Lowest level missed, or left undecided; None: none."""
    reason: str
    """One line."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside it: undecided levels, answers that do not fall with the load."""


def next_level(
    tried: Sequence[Tried],
    *,
    low: float,
    high: float,
    whole: bool,
    resolution: float = RESOLUTION,
    repeats: int = REPEATS,
) -> Probe | None:
    """The level to try next; None: the search is over.

    From ``low`` on the level is doubled until one is missed or ``high`` is met; then the gap is halved in ratio
    (geometric mean), until the two sides are within ``resolution`` of each other or, for ``whole`` levels, neighbours.
    An undecided level is asked again up to ``repeats`` times and then counts as missed: it was not shown to be met.

    Raises:
        ValueError: the bounds are not 0 < low <= high, or the resolution is not above 1.
    """
    if not 0 < low <= high < math.inf or resolution <= 1 or (whole and (low % 1 or high % 1)):
        raise ValueError(f"no search from {low} to {high} at {resolution}")
    asked: dict[float, list[Tried]] = {}
    for each in tried:
        if low <= each.level <= high:
            asked.setdefault(each.level, []).append(each)
    for level, answers in asked.items():
        if answers[-1].verdict == "undecided" and len(answers) <= repeats:
            return Probe(level, len(answers))
    if low not in asked:
        return Probe(low, 0)
    missed = min((level for level, answers in asked.items() if answers[-1].verdict != "met"), default=None)
    best = max((level for level in asked if missed is None or level < missed), default=None)
    if best is None:
        return None
    wanted = min(best * 2, high) if missed is None else _between(best, missed, whole=whole, resolution=resolution)
    return None if wanted is None or wanted == best else Probe(wanted, 0)


def _between(best: float, missed: float, *, whole: bool, resolution: float) -> float | None:
    """A level between the two; None: they are close enough."""
    if missed / best <= resolution:
        return None
    middle = math.sqrt(best * missed)
    if whole:
        return float(min(max(round(middle), best + 1), missed - 1)) if missed - best > 1 else None
    # Three digits are what a person reads back, as long as they still tell the three levels apart.
    short = float(f"{middle:.3g}")
    return short if best < short < missed else middle if best < middle < missed else None


def result(tried: Sequence[Tried]) -> Found:
    """What the levels tried so far say, whether or not the search has come to its end."""
    last = {each.level: each for each in tried}
    if not last:
        return Found(None, None, "nothing was tried")
    times = {level: sum(each.level == level for each in tried) for level in last}
    missed = min((level for level, each in last.items() if each.verdict != "met"), default=None)
    met = sorted(level for level, each in last.items() if each.verdict == "met")
    best = max((level for level in met if missed is None or level < missed), default=None)
    notes = [
        f"{level:g} stayed undecided after {each.n} requests in {times[level]} tries: it counts as missed"
        for level, each in sorted(last.items())
        if each.verdict == "undecided"
    ]
    above = [level for level in met if missed is not None and level > missed]
    if missed is not None and above:
        notes.append(
            f"{', '.join(f'{level:g}' for level in above)} met although {missed:g} was not: "
            "the answers do not fall with the load, what lies below the lowest miss is taken"
        )
    if missed is None:
        return Found(best, None, f"never missed up to {best:g}", tuple(notes))
    word = "missed" if last[missed].verdict == "missed" else "not shown to be met"
    if best is None:
        return Found(None, missed, f"never met at {missed:g}, the lowest level tried: {word}", tuple(notes))
    return Found(best, missed, f"met at {best:g}, {word} at {missed:g}", tuple(notes))
