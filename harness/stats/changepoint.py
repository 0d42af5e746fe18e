"""Change points of a nightly series: since when it has another level, by how much, and how sure that is.

E-divisive splits the series where the two sides differ most, as long as a permutation of the nights would rarely differ
as much; then Student's test strikes out, the weakest first, what neighbours' levels do not bear out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING, NamedTuple

from harness.stats import student
from harness.stats.change import Scale
from harness.stats.serial import correlated, lag1

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORTEST = 2
"""Nights in a segment: one night that is off is an outlier until the next one is off as well."""
FEWEST = 6
"""Nights with a value below which nothing is looked for: of five, no split is rarer than a permutation in twenty."""
MOST = 500
"""Latest nights that are looked at; the work grows with their square."""
PERMUTATION_ALPHA = 0.05
STUDENT_ALPHA = 0.001
"""Two-sided p that a change point keeps at most. It was looked for where it is strongest, so that a twentieth would be
found in every other series of equal nights."""
PERMUTATIONS = 199
_AT_ONCE = 1_000_000
"""Distances that are held at once."""
_FLOOR = 1e-9
"""Standard deviation that is assumed at least: levels without any noise differ as soon as they differ at all."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A level ends and another begins."""

    at: int
    """Place in the series, from 0, of the first night of the new level."""
    last_before: int
    """Place of the last night of the old one; what lies between the two has no value."""
    before: float
    """Mean of the old level, in the unit of the series; the geometric mean where ratios are taken."""
    after: float
    size: float
    """after / before, or after - before."""
    low: float
    """Of the 95 % interval of ``size``."""
    high: float
    n_before: int
    n_after: int
    p_value: float
    """Two-sided, of Student's test between the two levels. The place was chosen for it, so it flatters."""
    permutation_p: float
    """Share of permutations of the nights with a split as strong anywhere; the one that was seen counts as one."""

    @property
    def confidence(self) -> float:
        """1 - ``permutation_p``, which allows for the choice of the place."""
        return 1 - self.permutation_p


def change_points(
    values: Sequence[float | None], scale: Scale, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> list[ChangePoint]:
    """The change points of a series in time order; the same for the same values and seed.

    A split at t of n nights into a and b has the strength Q = ab / (a + b) (2 E|X - Y| - E|X - X'| - E|Y - Y'|), with
    means over pairs of different nights. Of all segments so far the strongest split is tested against permutations
    within segments; where it is among the strongest 5 % it stands, and the search goes on. Then each point moves to its
    strongest place between its neighbours and is tested by Student's t between its two levels, and the weakest is
    struck out until all have p of at most 0.001. Where nights of one level are like their neighbours, each counts for
    (1 - r) / (1 + r) of one in that test.

    Args:
        values: one a night; None, not finite, or of a ratio not above 0: a gap, which is left out and not filled.
        scale: ``ratio``: levels are compared by the logarithms; ``difference``: as they are.
        seed: of the permutations.
        permutations: how many.

    Source: Matteson & James, "A nonparametric approach for multiple change point analysis of multivariate data", JASA
    109 (2014), eq. 5 and section 3 with alpha = 1; Daly et al., "The use of change point detection to identify software
    performance regressions in a continuous integration system", ICPE (2020), for nightly series; Fleming et al.,
    "Hunter: using change point detection to hunt for performance regressions", ICPE (2023), for Student's test after
    it and p of 0.001.
    """
    import numpy as np  # noqa: PLC0415 - only trends look for change points

    places = [
        place
        for place, value in enumerate(values)
        if value is not None and math.isfinite(value) and (scale == "difference" or value > 0)
    ][-MOST:]
    if len(places) < FEWEST:
        return []
    kept = [float(values[place] or 0.0) for place in places]
    series = np.log(kept) if scale == "ratio" else np.asarray(kept)
    splits = _split(series, np.random.default_rng(seed), permutations)
    return [_told(series.tolist(), places, cut, scale) for cut in _borne_out(series, sorted(splits))]


# --- E-divisive ------------------------------------------------------------------------------------------


class _Split(NamedTuple):
    at: int
    p_value: float
    """Of the permutations."""


def _split(series: NDArray[np.float64], generator: np.random.Generator, permutations: int) -> list[_Split]:
    import numpy as np  # noqa: PLC0415 - as above

    found: list[_Split] = []
    segments = [(0, len(series))]
    while True:
        strengths = [_strongest(series[None, start:end]) for start, end in segments]
        best = max(range(len(segments)), key=lambda i: float(strengths[i][0][0]))
        seen = float(strengths[best][0][0])
        if not seen > 0:
            return found
        beyond, drawn = 0, 0
        for rows in _batches(permutations, len(series)):
            strongest = np.zeros(rows)
            for start, end in segments:
                shuffled = generator.permuted(np.tile(series[start:end], (rows, 1)), axis=1)
                strongest = np.maximum(strongest, _strongest(shuffled)[0])
            beyond, drawn = beyond + int(np.count_nonzero(strongest >= seen * (1 - 1e-12))), drawn + rows
            if 1 + beyond > PERMUTATION_ALPHA * (1 + permutations):
                return found
        start, end = segments[best]
        at = start + int(strengths[best][1][0])
        found.append(_Split(at, (1 + beyond) / (1 + drawn)))
        segments[best : best + 1] = [(start, at), (at, end)]


def _batches(permutations: int, n: int) -> list[int]:
    """How many permutations are drawn at once: few at first, since most series of equal nights are given up then."""
    rows = max(1, min(_AT_ONCE // (n * n), permutations))
    first = min(rows, 50)
    left = permutations - first
    return [first, *([rows] * (left // rows)), *([left % rows] if left % rows else [])]


def _strongest(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Strength of the strongest split of each row, and the length of its left side; 0 where a row is too short."""
    import numpy as np  # noqa: PLC0415 - as above

    rows, n = series.shape
    if n < 2 * SHORTEST:
        return np.zeros(rows), np.zeros(rows, dtype=np.int64)
    distance = np.abs(series[:, :, None] - series[:, None, :])
    before = np.tri(n, k=-1)
    earlier = np.einsum("rij,ij->ri", distance, before)  # to the nights before each
    later = distance.sum(axis=2) - earlier
    left = np.arange(SHORTEST, n - SHORTEST + 1)
    right = n - left
    within_left = np.cumsum(earlier, axis=1)[:, left - 1]
    within_right = later.sum(axis=1, keepdims=True) - np.cumsum(later, axis=1)[:, left - 1]
    across = earlier.sum(axis=1, keepdims=True) - within_left - within_right
    energy = (
        2 * across / (left * right) - 2 * within_left / (left * (left - 1)) - 2 * within_right / (right * (right - 1))
    )
    strength = energy * left * right / n
    # What rounding leaves of equal nights is no strength.
    strength[strength <= 1e-12 * (1 + np.abs(series).max(axis=1, keepdims=True))] = 0.0
    best = strength.argmax(axis=1)
    return strength[np.arange(rows), best], left[best]


# --- Student's test --------------------------------------------------------------------------------------


class _Cut(NamedTuple):
    """A split between two neighbouring segments."""

    start: int
    at: int
    end: int
    worth: float
    p_value: float
    """Of Student's test."""
    permutation_p: float


def _borne_out(series: NDArray[np.float64], splits: Sequence[_Split]) -> list[_Cut]:
    """The splits that Student's test leaves, the weakest struck out first."""
    kept, values = list(splits), series.tolist()
    while kept:
        kept = _settled(series, kept)
        edges = [0, *(split.at for split in kept), len(values)]
        worth = _worth(values, edges)
        cuts = [_tested(values, edges[i : i + 3], worth, split.p_value) for i, split in enumerate(kept)]
        weakest = max(range(len(cuts)), key=lambda i: cuts[i].p_value)
        if cuts[weakest].p_value <= STUDENT_ALPHA:
            return cuts
        del kept[weakest]
    return []


def _settled(series: NDArray[np.float64], splits: Sequence[_Split]) -> list[_Split]:
    """Each split at its strongest place between its neighbours: the first ones were placed before those were known."""
    found = list(splits)
    for i, split in enumerate(found):
        start = found[i - 1].at if i else 0
        end = found[i + 1].at if i + 1 < len(found) else len(series)
        found[i] = split._replace(at=start + int(_strongest(series[None, start:end])[1][0]))
    return found


def _worth(series: Sequence[float], edges: Sequence[int]) -> float:
    """How many independent nights one is worth, above 0 to 1: (1 - r) / (1 + r) where nights of a level are alike."""
    levels = [series[start:end] for start, end in itertools.pairwise(edges)]
    off = [value - fmean(level) for level in levels for value in level]
    r = lag1(off) if correlated(off) else None
    return 1.0 if r is None else (1 - r) / (1 + r)


def _tested(series: Sequence[float], edges: Sequence[int], worth: float, permutation_p: float) -> _Cut:
    start, at, end = edges
    levels = _levels(series, start, at, end, worth)
    return _Cut(start, at, end, worth, student.two_sided(levels.shift / levels.error, levels.df), permutation_p)


class _Levels(NamedTuple):
    """Two neighbouring levels."""

    shift: float
    error: float
    df: float


def _levels(series: Sequence[float], start: int, at: int, end: int, worth: float) -> _Levels:
    """Their difference, its standard error by the pooled variance, and its degrees of freedom."""
    before, after = series[start:at], series[at:end]
    df = len(before) + len(after) - 2
    pooled = ((len(before) - 1) * variance(before) + (len(after) - 1) * variance(after)) / df
    error = max(math.sqrt(pooled), _FLOOR) * math.sqrt((1 / len(before) + 1 / len(after)) / worth)
    return _Levels(fmean(after) - fmean(before), error, max(1.0, df * worth))


def _told(series: Sequence[float], places: Sequence[int], cut: _Cut, scale: Scale) -> ChangePoint:
    shift, error, df = _levels(series, cut.start, cut.at, cut.end, cut.worth)
    half = student.quantile(0.975, df) * error
    back = math.exp if scale == "ratio" else float
    return ChangePoint(
        at=places[cut.at],
        last_before=places[cut.at - 1],
        before=back(fmean(series[cut.start : cut.at])),
        after=back(fmean(series[cut.at : cut.end])),
        size=back(shift),
        low=back(shift - half),
        high=back(shift + half),
        n_before=cut.at - cut.start,
        n_after=cut.end - cut.at,
        p_value=cut.p_value,
        permutation_p=cut.permutation_p,
    )
