"""Endpoints that answer by known distributions: what is planted in them is what a test has to find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator


class Sampler(NamedTuple):
    """A model of short answers: each prompt has, for each place, chances of the eight letters a to h."""

    chances: np.ndarray
    """Prompts x places x letters, added up over letters."""

    def answers(self, draw: Generator, n: int) -> np.ndarray:
        """Prompts x n x places, letters by number."""
        prompts, places, _ = self.chances.shape
        luck = draw.random((prompts, n, places, 1))
        return (luck > self.chances[:, None, :, :-1]).sum(axis=3)


def sampler(seed: int, prompts: int, places: int = 12) -> Sampler:
    """One model; another seed is another model."""
    chances = np.random.default_rng(seed).dirichlet([0.3] * 8, (prompts, places))
    return Sampler(np.cumsum(chances, axis=2))


def mixed(draw: Generator, one: Sampler, other: Sampler, n: int, share: float) -> dict[str, list[str]]:
    """Answers by prompt, a share of which the other model gave."""
    first, second = one.answers(draw, n), other.answers(draw, n)
    taken = np.where(draw.random((*first.shape[:2], 1)) < share, second, first)
    return {f"p{at}": ["".join(chr(97 + letter) for letter in row) for row in rows] for at, rows in enumerate(taken)}


def called(p_of: Callable[[Generator, int], float], runs: int, seed: int = 0) -> float:
    """Share of runs with a p of at most 0.05."""
    draw = np.random.default_rng(seed)
    return sum(p_of(draw, run) <= 0.05 for run in range(runs)) / runs


def counted(words: Sequence[str]) -> Mapping[str, int]:
    """How often each word."""
    return {word: words.count(word) for word in dict.fromkeys(words)}
