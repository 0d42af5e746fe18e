"""How far two endpoints' next-token probabilities are apart, from the few that are served with each answer.

One token of one short prompt is asked for many times. What is served is a list of the likeliest tokens; of every other
token only an upper bound is known, and it is kept as one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any

from harness.fidelity.verdict import Gap
from harness.stats.power import ALPHA, POWER
from harness.stats.resampling import bootstrap_t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TopLogprobs = Mapping[str, float]
"""Natural logarithms of the probabilities of the likeliest tokens of one answer, as served."""
Rows = Mapping[str, Sequence[TopLogprobs]]
"""One for each answer to a prompt, by the prompt's id."""

PERMUTATIONS = 999
MARGIN = 0.1
"""Nats below which two endpoints may be called equivalent: each token a tenth likelier or less likely than it was."""
FLOOR = -100.0
"""Log probability that anything less likely is taken for: servers send -9999 or minus infinity for what cannot come."""
_ROUNDING = 1e-9
_FEWEST = 2
"""Answers of a prompt from each side: with one there is no noise to compare with."""
_MOST_TOKENS = 100
"""Of a list that is looked at."""


def first_token(body: str) -> dict[str, float]:
    """The likeliest tokens of the first place of an answer, out of its body, whole or streamed; empty: none are told.

    Source: https://platform.openai.com/docs/api-reference/chat, ``choices[0].logprobs.content[0].top_logprobs``.
    """
    for chunk in _objects(body):
        try:
            ranked = chunk["choices"][0]["logprobs"]["content"][0]["top_logprobs"][:_MOST_TOKENS]
            told = [(str(one["token"]), float(one["logprob"])) for one in ranked]
        except (LookupError, TypeError, ValueError, OverflowError):
            continue
        # Two tokens may have one text: the likelier is kept.
        return dict(sorted(told, key=lambda one: one[1]))
    return {}


def _objects(body: str) -> Iterator[Any]:
    for text in [body] if body.lstrip().startswith("{") else body.splitlines():
        try:
            yield json.loads(text.removeprefix("data:"))
        except (ValueError, RecursionError):
            continue


@dataclass(frozen=True, slots=True)
class LogprobDistance:
    """Of two samples of answers with top log probabilities."""

    mean_gap: float
    """Mean over prompts of the mean over tokens of |mean log probability of x - that of y|, in nats; a token that is
    missing from a row counts with that row's bound."""
    p_value: float | None
    """That both are the same; None: no prompt has two rows from each side, or every row of a prompt is the same on both
    sides, ``same``."""
    permutations: int
    same: bool
    """Whether all rows of each prompt are equal, on both sides: a deterministic endpoint and no difference."""
    total_variation: tuple[float, float]
    """Least and largest mean over prompts of the total variation between the mean distributions, 0 to 1, that the
    missing tokens allow."""
    censored: float
    """Share of tokens and rows that are known by a bound only."""
    tokens: int
    prompts: int
    by_prompt: Mapping[str, float]
    """``mean_gap`` of each prompt: the largest ones show the difference best."""
    mde: float | None
    """Smallest distance beyond that of equal endpoints that would be found with probability 0.8 at a p of at most 0.05,
    as ``harness.fidelity.mmd.distance`` has it, in nats; None: as ``p_value``."""


def distance(x: Rows, y: Rows, *, permutations: int = PERMUTATIONS, seed: int = 0) -> LogprobDistance | None:
    """Of the prompts with rows from both sides; None: there are none.

    The tokens of a prompt are those in any of its rows. A token that is missing from a row has at most the row's least
    log probability, and at most the logarithm of what the served probabilities leave of 1: the lesser is its bound, and
    stands for it in ``mean_gap``; lists of different lengths differ there for that alone, and ``against_itself`` cuts
    them to one. The side of a row is permuted within its prompt; p is the share of permutations that are further apart,
    the seen one among them, and half of those that are exactly as far (mid-p): few rows have few ways to be dealt out.

    For the bounds of the total variation each token's mean probability lies between that of the rows that have it and
    that and the bounds of the rows that have not; tokens in no row at all could add to it and are left out of both, so
    that it is the variation on tokens that were seen.

    Source: "LT", log probability tracking, arXiv 2512.03816 (ICLR 2026), for the statistic and for censoring at the
    row's least; that the rest of the mass bounds as well, and the interval, are ours.
    """
    import numpy as np  # noqa: PLC0415 - only a report with log probabilities waits for it

    shared = [prompt for prompt in x if x[prompt] and y.get(prompt)]
    if not shared:
        return None
    tables = [_table([*x[prompt], *y[prompt]], len(x[prompt])) for prompt in shared]
    generator = np.random.default_rng(seed)
    gaps = [float(each.gaps(each.as_seen())[0]) for each in tables]
    seen = sum(gaps)
    same = all(each.same for each in tables)
    p_value = mde = None
    if not same and all(min(each.n, each.m) >= 2 for each in tables):
        permuted = np.zeros(permutations)
        for each in tables:
            permuted += each.gaps(generator.permuted(np.tile(each.as_seen(), (permutations, 1)), axis=1))
        further = int(np.count_nonzero(permuted > seen + _ROUNDING))
        level = 1 + int(np.count_nonzero(abs(permuted - seen) <= _ROUNDING))
        p_value = (further + level / 2) / (1 + permutations)
        needed = np.quantile(permuted, 1 - ALPHA) - permuted.mean() + NormalDist().inv_cdf(POWER) * permuted.std()
        mde = float(needed) / len(tables) if needed > _ROUNDING else None
    bounds = [each.variation() for each in tables]
    cells = sum(each.bound.size for each in tables)
    return LogprobDistance(
        mean_gap=seen / len(tables),
        p_value=p_value,
        permutations=permutations if p_value is not None else 0,
        same=same,
        total_variation=(fmean(low for low, _ in bounds), fmean(high for _, high in bounds)),
        censored=sum(int(np.count_nonzero(each.missing)) for each in tables) / cells,
        tokens=sum(each.bound.shape[1] for each in tables),
        prompts=len(tables),
        by_prompt=dict(zip(shared, gaps, strict=True)),
        mde=mde,
    )


def against_itself(reference: Rows, again: Rows, candidate: Rows, *, seed: int = 0) -> Gap | None:
    """The candidate's distance less the reference's own, ``again`` being the reference asked a second time, in nats.

    Of the prompts with two rows from all three, each cut to the shortest list of any; None: there are none. The
    interval resamples prompts; p, and the smallest difference, are those of ``distance``. A p of 1 where every row is
    the same.
    """
    sides = reference, again, candidate
    cut = {
        prompt: _level([row for side in sides for row in side[prompt]])
        for prompt in reference
        if all(len(side.get(prompt, ())) >= _FEWEST for side in sides)
    }
    first, second, other = ({} for _ in sides)
    for prompt, rows in cut.items():
        n, m = len(reference[prompt]), len(again[prompt])
        first[prompt], second[prompt], other[prompt] = rows[:n], rows[n : n + m], rows[n + m :]
    found, ceiling = distance(first, other, seed=seed), distance(first, second, seed=seed + 1)
    if found is None or ceiling is None:
        return None
    gaps = [found.by_prompt[prompt] - ceiling.by_prompt[prompt] for prompt in cut]
    low, high = _bounds(gaps, seed)
    return Gap(
        value=fmean(gaps),
        low=low,
        high=high,
        ceiling=ceiling.mean_gap,
        p_value=1.0 if found.p_value is None else found.p_value,
        ceiling_p=1.0 if ceiling.p_value is None else ceiling.p_value,
        mde=found.mde,
        prompts=len(gaps),
    )


def _bounds(gaps: Sequence[float], seed: int) -> tuple[float | None, float | None]:
    """95 % interval of the mean over prompts; of endpoints that agree to the last digit it is 0."""
    if not any(gaps):
        return 0.0, 0.0
    if len(gaps) < 2:
        return None, None
    (low, high), _ = bootstrap_t(gaps, [1] * len(gaps), seed=seed)
    return low, high


def _level(rows: Sequence[TopLogprobs]) -> list[TopLogprobs]:
    """The likeliest of each row, as many as the shortest row has that has any."""
    most = min((len(row) for row in rows if row), default=0)
    return [dict(sorted(row.items(), key=lambda one: -one[1])[:most]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Table:
    """One prompt: rows of answers, those of the first side first, and columns of tokens."""

    bound: NDArray[np.float64]
    """Log probability, or the most that it can be."""
    missing: NDArray[np.bool_]
    n: int
    m: int

    @property
    def same(self) -> bool:
        return bool((abs(self.bound - self.bound[0]) <= _ROUNDING).all() and (self.missing == self.missing[0]).all())

    def as_seen(self) -> NDArray[np.float64]:
        """One row: what each answer weighs in the mean of the first side, less in that of the second."""
        import numpy as np  # noqa: PLC0415 - as above

        return np.where(np.arange(self.n + self.m) < self.n, 1 / self.n, -1 / self.m)[None, :]

    def gaps(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over tokens of the difference of the sides' means, of each row of weights."""
        import numpy as np  # noqa: PLC0415 - as above

        found: NDArray[np.float64] = np.abs(weights @ self.bound).mean(axis=1)
        return found

    def variation(self) -> tuple[float, float]:
        """Least and largest total variation of the sides' mean distributions, on these tokens."""
        import numpy as np  # noqa: PLC0415 - as above

        most = np.exp(self.bound)
        least = np.where(self.missing, 0.0, most)
        low_x, high_x = least[: self.n].mean(axis=0), most[: self.n].mean(axis=0)
        low_y, high_y = least[self.n :].mean(axis=0), most[self.n :].mean(axis=0)
        apart = np.maximum(0, np.maximum(low_x - high_y, low_y - high_x)).sum() / 2
        at_most = np.maximum(high_x - low_y, high_y - low_x).sum() / 2
        return float(apart), min(1.0, float(at_most))


def _table(rows: Sequence[TopLogprobs], first: int) -> _Table:
    import numpy as np  # noqa: PLC0415 - as above

    places = {token: at for at, token in enumerate(sorted({token for row in rows for token in row}))}
    bound = np.empty((len(rows), max(1, len(places))))
    missing = np.ones(bound.shape, dtype=bool)
    for at, row in enumerate(rows):
        bound[at] = _bound(row)
        for token, value in row.items():
            bound[at, places[token]], missing[at, places[token]] = _finite(value), False
    return _Table(bound, missing, first, len(rows) - first)


def _bound(row: TopLogprobs) -> float:
    """The largest log probability that a token can have which is not in the row."""
    if not row:
        return 0.0
    values = [_finite(value) for value in row.values()]
    left = 1 - math.fsum(math.exp(value) for value in values)
    return max(FLOOR, min(*values, math.log(left) if left > 0 else FLOOR))


def _finite(value: float) -> float:
    return FLOOR if math.isnan(value) else min(0.0, max(FLOOR, value))
