"""Whether two endpoints' answers to the same prompts come from one distribution: maximum mean discrepancy.

Only answers are looked at, so it works wherever text comes back. It says that something differs, not that it is worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from harness.fidelity.verdict import Gap
from harness.stats.means import student_interval
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
    """What the effect is a share of, of each prompt: twice the mean distance between the sides, or what can be most."""


def distance(
    x: Answers,
    y: Answers,
    *,
    length: int = LENGTH,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    bounded: bool = False,
    alpha: float = ALPHA,
) -> Distance | None:
    """Of two endpoints' answers to the same prompts; None: no prompt has two answers from each side.

    Answers are cut, or filled up with a sign that no answer has, to ``length`` places; k(a, b) is the share of places
    with the same sign, and d = 1 - k. Of each prompt MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), the first
    two over pairs of different answers; of all prompts it is their mean. effect = sum of MMD^2 / sum of 2 mean d(x, y).
    k is computed once a prompt. p = (1 + #{permuted >= seen}) / (1 + permutations), where which side an answer is of is
    permuted within its prompt: that is exact whatever the numbers of answers, for equal endpoints.

    Answers that hardly vary have hardly any 2 mean d, and an effect that is a share of it cannot be bounded: with
    ``bounded`` it is a share of the largest MMD^2 that there can be, 2 in each prompt.

    The smallest effect that would be found is the 1 - ``alpha`` point of the permuted effects and z_0.8 of their
    standard deviations above it: under a difference they scatter a little more, so read it as the least there is. None
    where all permutations are alike, or not even an effect of 1, the largest that there is, would be found.

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
        between[prompt] = 2.0 if bounded else block.between()
        permuted += block.squared(block.shuffled(generator, permutations))
    squared, scale = math.fsum(by_prompt.values()), math.fsum(between.values())
    beyond = int(np.count_nonzero(permuted >= squared - _SLACK * len(shared)))
    low, high = _bounds(list(by_prompt.values()), list(between.values()), seed, bounded=bounded)
    needed = _detectable(permuted, alpha)
    return Distance(
        effect=squared / scale if scale else 0.0,
        low=low,
        high=high,
        squared=squared / len(shared),
        p_value=(1 + beyond) / (1 + permutations),
        permutations=permutations,
        mde=needed / scale if needed is not None and 0 < needed <= scale else None,
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
    bounded: bool = False,
) -> Gap | None:
    """The candidate's effect against all answers of the reference, ``again`` being those to its being asked once more.

    All three should have been asked as often: the ceiling, the effect of reference against reference, is the noise of
    that budget. Only prompts that all three answered twice or more count. Of equal endpoints the effect is 0 on
    average, and so is the ceiling: it is shown and not taken off, which would only add its noise, unless its own p is
    at most 0.05. Then the reference itself has changed, and the gap is each prompt's MMD^2 of candidate and reference
    less that of reference and reference, as a share of the same 2 mean d. The interval resamples prompts. p, and the
    smallest effect, are those of ``distance``. None as there.
    """
    shared = {
        each for each in reference if all(len(of.get(each, ())) >= _FEWEST for of in (reference, again, candidate))
    }
    first, second, other = ({k: v for k, v in of.items() if k in shared} for of in (reference, again, candidate))
    both = {each: [*first[each], *second[each]] for each in first}
    apart = partial(distance, length=length, permutations=permutations, bounded=bounded)
    found, ceiling = apart(both, other, seed=seed), apart(first, second, seed=seed + 1)
    if found is None or ceiling is None:
        return None
    scale = list(found.between.values())
    off = 0 if ceiling.p_value > ALPHA else 1
    gaps = [found.by_prompt[each] - off * ceiling.by_prompt[each] for each in found.by_prompt]
    low, high = _bounds(gaps, scale, seed, bounded=bounded)
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


def spread(answers: Answers, *, length: int = LENGTH) -> float | None:
    """How much luck there is in the distance of answers to one prompt: what a plan needs to say what can be found.

    Standard deviation of the likeness of two answers to a prompt less what each of them adds by itself, root mean
    square over prompts, as a share of twice the mean distance of two answers. None: no prompt has four answers, or all
    answers are the same.

    Source: Székely & Rizzo, "Partial distance correlation with methods for dissimilarities", Annals of Statistics 42
    (2014), for the centring without bias.
    """
    squares, apart = [], []
    for some in answers.values():
        n = len(some)
        if n < 4:
            continue
        alike = _alike(some, length)
        others = 1 - alike
        rows = others.sum(axis=1) / (n - 2)
        centred = others - rows[:, None] - rows[None, :] + others.sum() / ((n - 1) * (n - 2))
        off = float((centred**2).sum() - (centred.diagonal() ** 2).sum())
        squares.append(max(0.0, off / (n * (n - 3))))
        apart.append(2 * float(others.sum()) / (n * (n - 1)))
    if not any(apart):
        return None
    return math.sqrt(math.fsum(squares) / len(squares)) / (math.fsum(apart) / len(apart))


def foreseen(prompts: int, first: int, other: int, spread: float) -> float:
    """Smallest effect found with probability 0.8 at a p of at most 0.05, of so many answers to a prompt of each side.

    Without a difference MMD^2 of one prompt has the variance s^2 (2 / (n (n - 1)) + 2 / (m (m - 1)) + 4 / (n m)), s
    being the spread; the mean over prompts has a share 1 / P of it, and is taken for normal.

    Source: Gretton et al., "A kernel two-sample test", JMLR 13 (2012), for the variance.
    """
    variance = 2 / (first * (first - 1)) + 2 / (other * (other - 1)) + 4 / (first * other)
    normal = NormalDist()
    return (normal.inv_cdf(1 - ALPHA) + normal.inv_cdf(POWER)) * spread * math.sqrt(variance / prompts)


class _Bounds(NamedTuple):
    low: float | None
    high: float | None


def _bounds(squared: Sequence[float], between: Sequence[float], seed: int, *, bounded: bool) -> _Bounds:
    """95 % interval of a ratio of sums over prompts; of answers that are all the same it is 0.

    With ``bounded`` it is a mean, and Student's: where few prompts waver most resamples have none of them, and no error
    of their own.
    """
    if not any(between):
        return _Bounds(0.0, 0.0)
    if len(squared) < 2:
        return _Bounds(None, None)
    if bounded:
        shares = [one / most for one, most in zip(squared, between, strict=True)]
        error = stdev(shares) / math.sqrt(len(shares))
        return _Bounds(*student_interval(fmean(shares), error, len(shares) - 1))
    (low, high), _ = bootstrap_t(squared, between, seed=seed)
    return _Bounds(low, high)


def _detectable(permuted: NDArray[np.float64], alpha: float) -> float | None:
    """None: no permutation differs from another, and so nothing is known of luck."""
    import numpy as np  # noqa: PLC0415 - as above

    spread = float(permuted.std())
    return float(np.quantile(permuted, 1 - alpha)) + NormalDist().inv_cdf(POWER) * spread if spread > _SLACK else None


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
