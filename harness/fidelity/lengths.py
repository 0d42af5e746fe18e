"""How long answers are: whether a candidate's stop earlier than the reference's, or go on for longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import TYPE_CHECKING, NamedTuple

from harness.fidelity.verdict import Gap
from harness.stats.power import ALPHA, POWER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Values = Mapping[str, Sequence[float]]
"""Lengths of answers, in tokens or characters, by the prompt's id."""

MARGIN = 0.1
"""Share below which two endpoints may be called equivalent: one answer in ten more that ends before some length."""
_RESAMPLES = 999


@dataclass(frozen=True, slots=True)
class Lengths:
    """How the lengths of two endpoints' answers differ."""

    apart: float
    """Largest difference of the two shares of answers up to some length, 0 to 1 (Kolmogorov-Smirnov)."""
    at: float
    """That length."""
    earlier: bool
    """Whether the candidate has the more answers up to there: it stops early."""
    p_value: float
    medians: tuple[float, float]
    prompts: int


def lengths(x: Values, y: Values, *, permutations: int = 999, seed: int = 0) -> Lengths | None:
    """Of the lengths of answers, in tokens or characters, by prompt; None: no prompt has answers from both sides.

    Of each side the distribution is the mean of its prompts' distributions. Which side an answer is of is permuted
    within its prompt: the lengths of different prompts are no draws from one distribution, which the usual table takes
    them for. p is the share of permutations that are further apart, the seen one among them, and half of those that are
    exactly as far (mid-p): few answers have few possible distances, and counting all would make the test too strict.

    Source: Kolmogorov-Smirnov in Conover, "Practical nonparametric statistics", 3rd ed. (1999), section 6.3; the
    permutation as in ``harness.fidelity.mmd``; Lancaster, "Significance tests in discrete distributions", JASA 56
    (1961), for mid-p.
    """
    found = _compared(x, y, permutations, seed)
    if found is None:
        return None
    best = int(abs(found.by_prompt.sum(axis=0)).argmax())
    medians = [median([each for prompt in found.shared for each in side[prompt]]) for side in (x, y)]
    return Lengths(
        apart=found.apart / len(found.shared),
        at=found.every[best],
        earlier=bool(found.by_prompt[:, best].sum() > 0),
        p_value=found.p_value,
        medians=(medians[0], medians[1]),
        prompts=len(found.shared),
    )


def against_itself(
    reference: Values,
    again: Values,
    candidate: Values,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> Gap | None:
    """How much further apart lengths of candidate and reference are than of reference and reference, 0 to 1.

    Of the prompts that all three answered; None: there are none. Each distance is the Kolmogorov-Smirnov one of
    ``lengths``, and so are the two p. The 95 % interval resamples prompts, the same ones for both distances (basic
    bootstrap, so that what resampling adds to a largest difference is taken off again); None: fewer than two. The
    smallest gap is that of ``harness.fidelity.mmd.distance``.
    """
    import numpy as np  # noqa: PLC0415 - as below

    shared = [prompt for prompt in reference if all(side.get(prompt) for side in (reference, again, candidate))]
    first, second, other = ({prompt: side[prompt] for prompt in shared} for side in (reference, again, candidate))
    found, ceiling = _compared(first, other, permutations, seed), _compared(first, second, permutations, seed + 1)
    if found is None or ceiling is None:
        return None
    n = len(shared)
    value = (found.apart - ceiling.apart) / n
    low = high = None
    if n > 1:
        weights = np.random.default_rng(seed).multinomial(n, [1 / n] * n, size=_RESAMPLES)
        drawn = [abs(weights @ each.by_prompt).max(axis=1) for each in (found, ceiling)]
        most, least = np.quantile(drawn[0] - drawn[1], (0.975, 0.025)) / n
        low, high = 2 * value - float(most), 2 * value - float(least)
    needed = np.quantile(found.permuted, 1 - ALPHA) - found.permuted.mean()
    needed += NormalDist().inv_cdf(POWER) * found.permuted.std()
    return Gap(
        value=value,
        low=low,
        high=high,
        ceiling=ceiling.apart / n,
        p_value=found.p_value,
        ceiling_p=ceiling.p_value,
        mde=float(needed) / n or None,
        prompts=n,
    )


class _Compared(NamedTuple):
    """Two sides' lengths, and what permuting them gives."""

    shared: list[str]
    every: list[float]
    """All lengths, rising."""
    by_prompt: NDArray[np.float64]
    """Share of the other side's answers up to each length, less the one side's: a row for each prompt."""
    apart: float
    """Largest sum of a column."""
    permuted: NDArray[np.float64]
    p_value: float


def _compared(x: Values, y: Values, permutations: int, seed: int) -> _Compared | None:
    import numpy as np  # noqa: PLC0415 - only a report with such a comparison waits for it

    shared = [prompt for prompt in x if x[prompt] and y.get(prompt)]
    if not shared:
        return None
    generator = np.random.default_rng(seed)
    every = np.unique(np.concatenate([[*x[prompt], *y[prompt]] for prompt in shared]).astype(float))
    seen, permuted = np.zeros((len(shared), len(every))), np.zeros((permutations, len(every)))
    for row, prompt in enumerate(shared):
        n, m = len(x[prompt]), len(y[prompt])
        place = np.searchsorted(every, [*x[prompt], *y[prompt]])
        weights = np.where(np.arange(n + m) < n, -1 / n, 1 / m)[None, :]
        seen[row] = _up_to(weights, place, len(every))[0]
        permuted += _up_to(generator.permuted(np.tile(weights, (permutations, 1)), axis=1), place, len(every))
    apart, far = float(abs(seen.sum(axis=0)).max()), np.abs(permuted).max(axis=1)
    further = far - apart
    beyond, level = int(np.count_nonzero(further > 1e-9)), 1 + int(np.count_nonzero(np.abs(further) <= 1e-9))
    p_value = (beyond + level / 2) / (1 + permutations)
    return _Compared(shared, every.tolist(), seen, apart, far, p_value)


def _up_to(weights: NDArray[np.float64], place: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Sum of the weights of the answers up to each length, of each row."""
    import numpy as np  # noqa: PLC0415 - as above

    found = np.zeros((len(weights), count))
    for column, at in enumerate(place):
        found[:, at] += weights[:, column]
    return found.cumsum(axis=1)
