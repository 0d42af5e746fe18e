"""Whether two endpoints' answers to the same prompts come from one distribution: maximum mean discrepancy.

Only answers are looked at, so it works wherever text comes back. It says that something differs, not that it is worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from harness.fidelity.verdict import Gap
from harness.stats.power import ALPHA, POWER
from harness.stats.resampling import bootstrap_t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Answer = str | Sequence[int]
"""A completion: its characters (Unicode code points), or its tokens by number."""
Answers = Mapping[str, Sequence[Answer]]
"""The completions of each prompt, by the prompt's id."""

LENGTH = 1000
"""Characters or tokens of an answer that are looked at."""
PERMUTATIONS = 999
MARGIN = 0.02
"""Effect below which two endpoints may be called equivalent: about what there is where one answer in five is another
model's. It grows with the square of that share."""
_FEWEST = 2
"""Answers of a prompt from each side: with one there is no distance within a side."""
_SLACK = 1e-12
_AT_ONCE = 4_000_000
"""Comparisons of single positions that are held at once."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far apart two endpoints' answers are."""

    effect: float
    """Energy coefficient, 0 where the distributions are equal, 1 where nothing within a side differs and everything
    between them does; unbiased noise about 0 may make it negative. Without unit, and the same whatever ``length`` is
    beyond the longest answer."""
    low: float | None
    """Of its 95 % interval, by resampling prompts; None: too few prompts."""
    high: float | None
    squared: float
    """MMD^2, mean over prompts, in shares of ``length`` positions."""
    p_value: float
    permutations: int
    mde: float | None
    """Smallest effect found with probability 0.8 at a p of at most ``alpha``; None: all answers are the same."""
    prompts: int
    """Prompts with two answers or more from each side; the others are left out."""
    answers: tuple[int, int]
    """Answers of each side to those."""
    by_prompt: Mapping[str, float]
    """MMD^2 of each prompt: the largest ones show the difference best."""
    between: Mapping[str, float]
    """Twice the mean distance between the sides, of each prompt: what the effect is a share of."""


def distance(
    x: Answers,
    y: Answers,
    *,
    length: int = LENGTH,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    alpha: float = ALPHA,
) -> Distance | None:
    """Of two endpoints' answers to the same prompts; None: no prompt has two answers from each side.

    Answers are cut, or filled up with a sign that no answer has, to ``length`` places; k(a, b) is the share of places
    with the same sign, and d = 1 - k. Of each prompt MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), the first
    two over pairs of different answers; of all prompts it is their mean. effect = sum of MMD^2 / sum of 2 mean d(x, y).
    k is computed once a prompt. p = (1 + #{permuted >= seen}) / (1 + permutations), where which side an answer is of is
    permuted within its prompt: that is exact whatever the numbers of answers, for equal endpoints.

    The smallest effect that would be found is the 1 - ``alpha`` point of the permuted effects and z_0.8 of their
    standard deviations above it: under a difference they scatter a little more, so read it as the least there is.

    Source: Gao, Liang & Guestrin, "Model equality testing: which model is this API serving?", ICLR (2025), for kernel
    and length; Gretton et al., "A kernel two-sample test", JMLR 13 (2012), lemma 6; Székely & Rizzo, "Energy
    statistics", J. of Statistical Planning and Inference 143 (2013), for the coefficient; Phipson & Smyth,
    "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9 (2010).
    """
    import numpy as np  # noqa: PLC0415 - only a report with such a comparison waits for it

    shared = [each for each in x if each in y and min(len(x[each]), len(y[each])) >= _FEWEST]
    if not shared:
        return None
    generator = np.random.default_rng(seed)
    by_prompt, between, permuted = {}, {}, np.zeros(permutations)
    for prompt in shared:
        block = _Block(_alike([*x[prompt], *y[prompt]], length), len(x[prompt]))
        by_prompt[prompt] = float(block.squared(block.as_seen())[0])
        between[prompt] = block.between()
        permuted += block.squared(block.shuffled(generator, permutations))
    squared, scale = math.fsum(by_prompt.values()), math.fsum(between.values())
    beyond = int(np.count_nonzero(permuted >= squared - _SLACK * len(shared)))
    low, high = _bounds(list(by_prompt.values()), list(between.values()), seed)
    return Distance(
        effect=squared / scale if scale else 0.0,
        low=low,
        high=high,
        squared=squared / len(shared),
        p_value=(1 + beyond) / (1 + permutations),
        permutations=permutations,
        mde=_detectable(permuted, alpha) / scale if scale else None,
        prompts=len(shared),
        answers=(sum(len(x[each]) for each in shared), sum(len(y[each]) for each in shared)),
        by_prompt=by_prompt,
        between=between,
    )


def against_itself(
    reference: Answers,
    again: Answers,
    candidate: Answers,
    *,
    length: int = LENGTH,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Gap | None:
    """The candidate's effect less the reference's own, ``again`` being the reference asked a second time.

    All three should have been asked as often: the ceiling is the noise of that budget. Only prompts that all three
    answered twice or more count. Each prompt's MMD^2 of reference and candidate less that of reference and reference
    is a share of the same 2 mean d(reference, candidate) as the effect; the interval resamples prompts. p, and the
    smallest effect, are those of ``distance``. None as there.
    """
    shared = {
        each for each in reference if all(len(of.get(each, ())) >= _FEWEST for of in (reference, again, candidate))
    }
    first, second, other = ({k: v for k, v in of.items() if k in shared} for of in (reference, again, candidate))
    found = distance(first, other, length=length, permutations=permutations, seed=seed)
    ceiling = distance(first, second, length=length, permutations=permutations, seed=seed + 1)
    if found is None or ceiling is None:
        return None
    scale = list(found.between.values())
    gaps = [found.by_prompt[each] - ceiling.by_prompt[each] for each in found.by_prompt]
    low, high = _bounds(gaps, scale, seed)
    whole = math.fsum(scale)
    return Gap(
        value=math.fsum(gaps) / whole if whole else 0.0,
        low=low,
        high=high,
        ceiling=math.fsum(ceiling.by_prompt.values()) / whole if whole else 0.0,
        p_value=found.p_value,
        ceiling_p=ceiling.p_value,
        mde=found.mde,
        prompts=found.prompts,
    )


class _Bounds(NamedTuple):
    low: float | None
    high: float | None


def _bounds(squared: Sequence[float], between: Sequence[float], seed: int) -> _Bounds:
    """95 % interval of a ratio of sums over prompts; of answers that are all the same it is 0."""
    if not any(between):
        return _Bounds(0.0, 0.0)
    if len(squared) < 2:
        return _Bounds(None, None)
    (low, high), _ = bootstrap_t(squared, between, seed=seed)
    return _Bounds(low, high)


def _detectable(permuted: NDArray[np.float64], alpha: float) -> float:
    import numpy as np  # noqa: PLC0415 - as above

    return float(np.quantile(permuted, 1 - alpha) + NormalDist().inv_cdf(POWER) * permuted.std())


class _Block:
    """One prompt: how alike all its answers are, those of the first side first."""

    def __init__(self, alike: NDArray[np.float64], first: int) -> None:
        self.alike = alike
        self.n = first
        self.m = len(alike) - first

    def as_seen(self) -> NDArray[np.float64]:
        """One row: 1 where an answer is of the first side."""
        import numpy as np  # noqa: PLC0415 - as above

        return (np.arange(self.n + self.m) < self.n).astype(float)[None, :]

    def shuffled(self, generator: np.random.Generator, rows: int) -> NDArray[np.float64]:
        """So many permutations of it; where all answers are the same none is another, and nothing is drawn."""
        import numpy as np  # noqa: PLC0415 - as above

        if self.alike.min() == 1:
            return np.repeat(self.as_seen(), rows, axis=0)
        return generator.permuted(np.tile(self.as_seen(), (rows, 1)), axis=1)

    def squared(self, first: NDArray[np.float64]) -> NDArray[np.float64]:
        """MMD^2 of each row of sides."""
        n, m = self.n, self.m
        to_first = first @ self.alike
        within = (to_first * first).sum(axis=1)
        across = to_first.sum(axis=1) - within
        others = self.alike.sum() - within - 2 * across
        # Every answer is wholly like itself: n and m ones are no pairs of different answers.
        found: NDArray[np.float64] = (within - n) / (n * (n - 1)) + (others - m) / (m * (m - 1)) - 2 * across / (n * m)
        return found

    def between(self) -> float:
        """Twice the mean distance from one side to the other."""
        return float(2 * (1 - self.alike[: self.n, self.n :].mean()))


def _alike(answers: Sequence[Answer], length: int) -> NDArray[np.float64]:
    """Share of equal places of every two answers."""
    import numpy as np  # noqa: PLC0415 - as above

    cut = [answer[:length] for answer in answers]
    longest = max(map(len, cut))
    signs = np.full((len(cut), max(1, longest)), -1, dtype=np.int64)
    for row, answer in enumerate(cut):
        signs[row, : len(answer)] = [ord(sign) for sign in answer] if isinstance(answer, str) else list(answer)
    found = np.empty((len(cut), len(cut)))
    for rows in _rows(len(cut), signs.size):
        found[rows] = (signs[rows, None, :] != signs[None, :, :]).sum(axis=2)
    return 1 - found / length


def _rows(count: int, size: int) -> Iterator[slice]:
    """Rows that are compared with all others at once."""
    step = max(1, _AT_ONCE // size)
    for start in range(0, count, step):
        yield slice(start, start + step)
