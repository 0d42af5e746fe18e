"""Questions that were asked several times: what so many tries are worth, and how much of the spread is luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance
from typing import NamedTuple


class Tries(NamedTuple):
    """One question: how often it was tried, and how often rightly."""

    n: int
    right: int


def pass_at_k(tries: Tries, k: int) -> float:
    """Chance that at least one of ``k`` tries is right, unbiased: 1 - C(n - c, k) / C(n, k).

    Not 1 - (1 - c/n)^k, which is too low for every k above 1.

    Source: Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374 (2021).

    Raises:
        ValueError: ``k`` is not between 1 and n.
    """
    _refuse(tries, k)
    return 1 - math.comb(tries.n - tries.right, k) / math.comb(tries.n, k)


def pass_hat_k(tries: Tries, k: int) -> float:
    """Chance that all of ``k`` tries are right, unbiased: C(c, k) / C(n, k).

    Not (c/n)^k, which is too high for every k above 1.

    Source: Yao et al., "tau-bench: a benchmark for tool-agent-user interaction in real-world domains",
    arXiv 2406.12045 (2024).

    Raises:
        ValueError: ``k`` is not between 1 and n.
    """
    _refuse(tries, k)
    return math.comb(tries.right, k) / math.comb(tries.n, k)


def _refuse(tries: Tries, k: int) -> None:
    if not 1 <= k <= tries.n:
        raise ValueError(f"k is {k}, but must be between 1 and the {tries.n} tries there were")


class Repeats(NamedTuple):
    """The scores of one question."""

    mean: float | None
    """None: it was never scored."""
    variance: float | None
    """Unbiased, about its mean; None: scored fewer than two times."""
    n: int


class Spread(NamedTuple):
    """Where the variance of a score, or of a difference, comes from."""

    between: float
    """omega^2: of the questions' true means. More repeats do nothing about it, more questions do."""
    within: tuple[float, ...]
    """sigma^2: of one try about its question's mean, averaged over questions; of each endpoint."""


def spread(*endpoints: Sequence[Repeats]) -> Spread | None:
    """Variance split into that between questions and that within them, of one endpoint or of the second less the first.

    The variance of a question's mean over K tries is omega^2 + sigma^2 / K; what is seen between questions less what
    luck within them explains is omega^2, and never below 0. None: fewer than two questions were scored twice.

    Source: Miller, "Adding error bars to evals", arXiv 2411.00640 (2024).

    Raises:
        ValueError: the endpoints have not the same number of questions.
    """
    seen, luck, within = [], [], []
    for question in zip(*endpoints, strict=True):
        variances = [each.variance for each in question if each.variance is not None]
        if len(variances) == len(question):
            means = [each.mean or 0.0 for each in question]
            seen.append(means[-1] - sum(means[:-1]))
            luck.append(sum(value / each.n for value, each in zip(variances, question, strict=True)))
            within.append(variances)
    if len(seen) < 2:
        return None
    return Spread(max(0.0, variance(seen) - fmean(luck)), tuple(fmean(column) for column in zip(*within, strict=True)))
