"""Answers that are one word of a few: a call or none, a finish reason, the single token of a border input."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from harness.fidelity import mmd
from harness.fidelity.verdict import Gap

MARGIN = 0.04
"""Effect below which two endpoints may be called equivalent: one answer in five is of another kind, squared."""
Words = Mapping[str, Sequence[Hashable]]
"""What was answered to each prompt, by the prompt's id; None is a word as well."""


def distance(x: Words, y: Words, *, permutations: int = mmd.PERMUTATIONS, seed: int = 0) -> mmd.Distance | None:
    """``harness.fidelity.mmd.distance`` with the kernel 1[x = y]: sum over words of the squared difference of shares.

    The effect is half of that, 0 to 1, mean over prompts: such answers are often all the same, and of a share of how
    much they vary nothing could be said. None: no prompt has two answers from each side, without which chance cannot be
    told from a difference.
    """
    one, other = _numbered(x, y)
    return mmd.distance(one, other, length=1, permutations=permutations, seed=seed, bounded=True)


def against_itself(
    reference: Words, again: Words, candidate: Words, *, permutations: int = mmd.PERMUTATIONS, seed: int = 0
) -> Gap | None:
    """``harness.fidelity.mmd.against_itself`` with that kernel; None as there."""
    sides = _numbered(reference, again, candidate)
    return mmd.against_itself(
        sides[0], sides[1], sides[2], length=1, permutations=permutations, seed=seed, bounded=True
    )


def total_variation(x: Words, y: Words) -> float | None:
    """Mean over prompts of half the sum of the differences of shares, 0 to 1; None: no prompt has answers from both.

    Few answers differ by luck, so that it lies above 0 for equal endpoints too: compare it with the reference's own.
    """
    shared = [prompt for prompt in x if x[prompt] and y.get(prompt)]
    if not shared:
        return None
    return sum(apart(x[prompt], y[prompt]) for prompt in shared) / len(shared)


def apart(x: Sequence[Hashable], y: Sequence[Hashable]) -> float:
    """Half the sum of the differences of shares of each word, 0 to 1; neither side is empty."""
    return sum(abs(x.count(word) / len(x) - y.count(word) / len(y)) for word in {*x, *y}) / 2


def _numbered(*sides: Words) -> list[dict[str, list[tuple[int]]]]:
    numbers: dict[Hashable, int] = {}
    return [
        {prompt: [(numbers.setdefault(word, len(numbers)),) for word in words] for prompt, words in side.items()}
        for side in sides
    ]
