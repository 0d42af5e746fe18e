"""By how much each quantile of one of two matched measures lies above that of the other: where they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.percentiles import BEYOND
from harness.stats.resampling import draws_for
from harness.stats.serial import correlated

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_AT_ONCE = 500_000
"""Values that are put in order at a time."""


class QuantileShift(NamedTuple):
    """One quantile of A and of B, in their unit."""

    q: float
    a: float
    b: float
    difference: float
    """B minus A: how much later, or larger, so many of a hundred are. Not a quantile of the differences."""
    low: float
    """Of the pointwise 95 % interval of the difference."""
    high: float


def quantile_shifts(
    a: Sequence[float], b: Sequence[float], qs: Sequence[float] = QUANTILES, *, seed: int = 0, draws: int | None = None
) -> list[QuantileShift]:
    """The shift at each quantile beyond which at least ten values lie on both ends; the pairs are in time order.

    Pairs are drawn anew with both their measures, so that what the two have in common stays in them; where neighbouring
    differences are alike, whole stretches of neighbours are drawn, n^(1/3) pairs long. The interval is that of the
    draws (percentiles) and holds for one quantile, not for all of them at once.

    Source: Wilcox & Erceg-Hurn, "Comparing two dependent groups via quantiles", Journal of Applied Statistics 39
    (2012), for the marginal quantiles of pairs; Efron & Tibshirani, "An introduction to the bootstrap" (1993), section
    13.3; Kuensch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17
    (1989), for stretches.

    Raises:
        ValueError: the two are not of one length.
    """
    n = len(a)
    differences = [y - x for x, y in zip(a, b, strict=True)]
    shown = [q for q in qs if n * min(q, 1 - q) + 1e-9 >= BEYOND]
    if not shown:
        return []
    import numpy as np  # noqa: PLC0415 - a report without such a comparison does not wait for it

    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    length = max(1, round(n ** (1 / 3))) if correlated(differences) else 1
    draws = draws_for(n) if draws is None else draws
    generator, found = np.random.default_rng(seed), []
    stretches, within = math.ceil(n / length), np.arange(length)
    rows = max(1, _AT_ONCE // n)
    for done in range(0, draws, rows):
        starts = generator.integers(0, n, (min(rows, draws - done), stretches, 1))
        # Round the end to the beginning, so that every pair is as likely as any other.
        drawn = ((starts + within) % n).reshape(len(starts), -1)[:, :n]
        found.append(np.quantile(second[drawn], shown, axis=1) - np.quantile(first[drawn], shown, axis=1))
    lows, highs = np.quantile(np.concatenate(found, axis=1), (0.025, 0.975), axis=1)
    ones, others = np.quantile(first, shown), np.quantile(second, shown)
    return [
        QuantileShift(q, float(x), float(y), float(y - x), float(low), float(high))
        for q, x, y, low, high in zip(shown, ones, others, lows, highs, strict=True)
    ]
