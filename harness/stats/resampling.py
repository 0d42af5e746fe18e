"""Tests and intervals that draw from the data itself, each from a seed that is told with the result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.stats.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_DRAWS = 4999
_FEWEST_DRAWS = 999
_VALUES = 2_000_000
"""Values that all draws together may hold, but for ``_FEWEST_DRAWS``: thousands of questions need fewer draws."""
_AT_ONCE = 250_000
_ROUNDING = 1e-9


def draws_for(n: int) -> int:
    """How often ``n`` values are drawn anew."""
    return min(MOST_DRAWS, max(_FEWEST_DRAWS, _VALUES // max(n, 1)))


def sign_flip_p(
    differences: Sequence[float], *, seed: int = 0, draws: int | None = None, mid: bool = False
) -> tuple[float, int]:
    """Two-sided p that the differences are symmetric about 0, and of how many flips; 0 flips: all were counted.

    If two endpoints are equal, each question's difference might as well have had the other sign. p is the share of
    flips whose sum is at least as far from 0 as the one that was seen. Where there are few enough differences all flips
    are counted, and p is exact. Where they are drawn, the one that was seen is one of them, so that p is never 0, and
    those that are exactly as far count half (mid-p), or repeats with their few possible scores would make the test too
    strict. With ``mid`` they count half where all flips are counted too: few differences with few values have few sums,
    and an exact p is then far above what it says. Differences of a cluster are added up first.

    Source: Fisher, "The design of experiments" (1935), section 21; Phipson & Smyth, "Permutation p-values should never
    be zero", Statistical Applications in Genetics and Molecular Biology 9 (2010); Lancaster, "Significance tests in
    discrete distributions", JASA 56 (1961), for mid-p.
    """
    told = [value for value in differences if value]
    if not told:
        return 1.0, 0
    draws = draws_for(len(told)) if draws is None else draws
    seen, rounding = abs(math.fsum(told)), _ROUNDING * math.fsum(map(abs, told))
    if 1 << (len(told) - 1) <= draws:
        first, *rest = told  # a flip and its mirror image are equally far from 0: the first may keep its sign
        sums = [first + sum(map(_signed, rest, signs)) for signs in itertools.product((1, -1), repeat=len(rest))]
        level = sum(abs(abs(each) - seen) <= rounding for each in sums)
        further = sum(abs(each) > seen + rounding for each in sums)
        return (further + (level / 2 if mid else level)) / (1 << len(rest)), 0
    import numpy as np  # noqa: PLC0415 - a report without such a comparison does not wait for it

    generator, values = np.random.default_rng(seed), np.asarray(told)
    far, level = 0, 1  # the flip that was seen
    for rows in _blocks(draws, len(told)):
        signs = generator.integers(0, 2, (rows, len(told)), dtype=np.int8)
        beyond = np.abs(2.0 * (signs @ values) - values.sum()) - seen
        far += int(np.count_nonzero(beyond > rounding))
        level += int(np.count_nonzero(np.abs(beyond) <= rounding))
    return (far + level / 2) / (1 + draws), draws


def _signed(value: float, sign: int) -> float:
    return value * sign


def bootstrap_t(
    totals: Sequence[float], counts: Sequence[float], *, seed: int = 0, draws: int | None = None
) -> tuple[Interval, int]:
    """95 % interval of the mean of all values by resampling clusters, and of how many draws.

    ``totals`` and ``counts`` are the sum and the number of values of each cluster; a question that stands alone is a
    cluster of one. Counts may be any weights: the mean is then a ratio of sums. Each draw's distance from the
    mean is divided by its own standard error, without which few clusters give intervals that are too narrow. A bound is
    None where too many draws have no error of their own.

    Source: Efron & Tibshirani, "An introduction to the bootstrap" (1993), section 12.5; Cameron, Gelbach &
    Miller, "Bootstrap-based improvements for inference with clustered errors", Review of Economics and Statistics 90
    (2008), for few clusters.

    Raises:
        ValueError: fewer than two clusters.
    """
    import numpy as np  # noqa: PLC0415 - a report without such a comparison does not wait for it

    clusters = len(totals)
    if clusters < 2:
        raise ValueError("it takes two clusters to resample them")
    draws = draws_for(clusters) if draws is None else draws
    sums, sizes = np.asarray(totals, dtype=float), np.asarray(counts, dtype=float)
    (mean,), (error,) = _mean_and_error(sums[None, :], sizes[None, :])
    generator, found = np.random.default_rng(seed), []
    for rows in _blocks(draws, clusters):
        drawn = generator.integers(0, clusters, (rows, clusters))
        # Weights may all be 0 in a draw: it has no mean, and counts as one without a distance.
        with np.errstate(divide="ignore", invalid="ignore"):
            means, errors = _mean_and_error(sums[drawn], sizes[drawn])
            found.append(np.nan_to_num((means - mean) / errors, nan=0.0, posinf=np.inf, neginf=-np.inf))
    low, high = np.quantile(np.concatenate(found), (0.025, 0.975), method="inverted_cdf")
    bounds = float(mean - high * error), float(mean - low * error)
    return Interval(*(bound if math.isfinite(bound) else None for bound in bounds)), draws


def _mean_and_error(sums: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean and clustered standard error of each row; the error is ``harness.stats.means.clustered_error``."""
    clusters = sums.shape[1]
    n = sizes.sum(axis=1)
    means = sums.sum(axis=1) / n
    left = sums - means[:, None] * sizes
    return means, (clusters / (clusters - 1) * (left * left).sum(axis=1)) ** 0.5 / n


def _blocks(draws: int, n: int) -> Iterator[int]:
    """The draws in blocks that fit into memory."""
    rows = max(1, _AT_ONCE // n)
    for start in range(0, draws, rows):
        yield min(rows, draws - start)
