"""Embeddings of the same texts by two endpoints: how alike the vectors are, and how alike what they say of the texts.

Vectors of two models, or of two lengths, cannot be compared number by number. What each says about which texts are
alike can: the cosines between all texts, as one endpoint has them and as the other has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from harness.stats.means import standard_error, student_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors = Sequence[Sequence[float]]
FEWEST = 4
"""Texts below which the order of their cosines says nothing."""
NEIGHBOURS = 5


class Estimate(NamedTuple):
    """A mean or a correlation with its 95 % interval."""

    value: float
    low: float | None
    """None: too few texts to bound it."""
    high: float | None


class Alike(NamedTuple):
    """Cosines of the two vectors of every text."""

    n: int
    mean: Estimate
    least: float
    least_at: int
    """Which text that is."""


class Structure(NamedTuple):
    """How far two endpoints agree on which texts are alike, whatever their vectors look like."""

    n: int
    """Texts."""
    correlation: Estimate
    """Spearman's, of the cosines of all pairs of texts."""
    neighbours: Estimate
    """Mean share of a text's ``k`` nearest texts that are the same for both."""
    k: int
    chance: float
    """What that share would be of neighbours drawn at random."""


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine between two vectors; 0 where they have different lengths, or one is all 0."""
    norms = math.hypot(*one) * math.hypot(*other)
    return sum(x * y for x, y in zip(one, other, strict=True)) / norms if norms and len(one) == len(other) else 0.0


def alike(one: Vectors, other: Vectors) -> Alike | None:
    """The two vectors of each text against each other, text by text; None: there are no texts.

    The interval is Student's over texts, kept within -1 and 1.
    """
    if not one:
        return None
    cosines = [cosine(a, b) for a, b in zip(one, other, strict=True)]
    least = min(cosines)
    return Alike(len(cosines), _mean(cosines, -1.0), least, cosines.index(least))


def structure(one: Vectors, other: Vectors) -> Structure | None:
    """Which texts are alike, by one endpoint and by the other; None: fewer than ``FEWEST`` texts.

    The correlation is that of representational similarity analysis: Spearman's rank correlation of the cosines of all
    n (n - 1) / 2 pairs. Pairs share texts and are no independent looks, so its interval comes from leaving out each
    text in turn. NaN where one endpoint has all texts equally alike.

    Source: Kriegeskorte, Mur & Bandettini, "Representational similarity analysis", Frontiers in Systems Neuroscience 2
    (2008); Efron & Tibshirani, "An introduction to the bootstrap" (1993), chapter 11, for the jackknife.
    """
    n = len(one)
    if n < FEWEST:
        return None
    import numpy as np  # noqa: PLC0415 - a report without embeddings does not wait for it

    a, b = _cosines(one), _cosines(other)
    whole = _spearman(a, b)
    every = np.arange(n)
    without = [_spearman(*(of[np.ix_(rest, rest)] for of in (a, b))) for rest in (every[every != i] for i in range(n))]
    error = math.sqrt((n - 1) / n * sum((each - fmean(without)) ** 2 for each in without))
    low, high = student_interval(whole, error, n - 1)
    k = min(NEIGHBOURS, n - 2)
    near_a, near_b = (_nearest(of, k) for of in (a, b))
    shared = [len(mine & theirs) / k for mine, theirs in zip(near_a, near_b, strict=True)]
    return Structure(n, Estimate(whole, _within(low, -1.0), _within(high, -1.0)), _mean(shared, 0.0), k, k / (n - 1))


def _mean(values: Sequence[float], floor: float) -> Estimate:
    mean, error = fmean(values), standard_error(values)
    if error is None:
        return Estimate(mean, None, None)
    low, high = student_interval(mean, error, len(values) - 1)
    return Estimate(mean, _within(low, floor), _within(high, floor))


def _within(value: float | None, floor: float) -> float | None:
    return None if value is None or math.isnan(value) else min(1.0, max(floor, value))


def _cosines(vectors: Vectors) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 - a report without embeddings does not wait for it

    rows: NDArray[np.float64] = np.array([np.asarray(vector, dtype=np.float64) for vector in vectors])
    rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    cosines: NDArray[np.float64] = rows @ rows.T
    return cosines


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of the values above the diagonals: the correlation of their ranks, equal ones at their mean rank."""
    import numpy as np  # noqa: PLC0415 - a report without embeddings does not wait for it

    above = np.triu_indices(len(a), 1)
    x, y = (_ranks(of[above]) for of in (a, b))
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale else math.nan


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 - a report without embeddings does not wait for it

    # Rounded, for the same cosine may come out a last digit different by the order of its sum.
    _, place, counts = np.unique(values.round(12), return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[place]
    return ranks


def _nearest(cosines: NDArray[np.float64], k: int) -> list[set[int]]:
    """The k texts with the largest cosines to each text, itself left out."""
    import numpy as np  # noqa: PLC0415 - a report without embeddings does not wait for it

    others = cosines.copy()
    np.fill_diagonal(others, -np.inf)
    return [set(map(int, row)) for row in np.argsort(-others, axis=1, kind="stable")[:, :k]]
