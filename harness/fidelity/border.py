"""Border inputs: prompts of one token whose greedy first token is a near tie, and flips with the least change.

An endpoint that answers always the same way has none, and a canary of border inputs says nothing about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.fidelity import categories
from harness.stats.power import ALPHA

Firsts = Mapping[str, Sequence[str]]
"""First tokens (or answers of one token) at temperature 0, by prompt."""
BorderWord = Literal["same", "changed", "not applicable"]

KEPT = 20
CHANGED = 0.2
"""Mean total variation beyond the reference's own from which on a change is more than noise of batches."""


@dataclass(frozen=True, slots=True)
class Border:
    """A prompt on the border, and what was answered to it."""

    prompt: str
    answers: Mapping[str, int]
    """How often each, the most frequent first."""

    @property
    def balance(self) -> float:
        """Times the second answer came as a share of the first, above 0 to 1: an even border flips most easily."""
        first, second = list(self.answers.values())[:2]
        return second / first


def borders(firsts: Firsts, keep: int = KEPT) -> tuple[Border, ...]:
    """The prompts with more than one answer, the most balanced first, at most ``keep``; empty: the canary cannot be.

    Used twice: on a few answers to thousands of prompts to find candidates, then on many answers to those.

    Source: "B3IT", arXiv 2602.11083 (ICML 2026).
    """
    found = [Border(prompt, dict(Counter(answers).most_common())) for prompt, answers in firsts.items()]
    several = [each for each in found if len(each.answers) > 1]
    return tuple(sorted(several, key=lambda each: (-each.balance, each.prompt))[:keep])


@dataclass(frozen=True, slots=True)
class Canary:
    """Today's first tokens against those of the reference set."""

    word: BorderWord
    """``changed``: p of at most 0.05 and a mean total variation of ``CHANGED`` or more beyond what the reference has
    against itself."""
    variation: float | None
    """Mean total variation over prompts, 0 to 1; None: not applicable."""
    own: float | None
    """The same between the two halves of the reference's answers, taken in turns; the yardstick. None: as above."""
    p_value: float | None
    """That today's answers and the reference's are of one distribution; None: not applicable."""
    prompts: int


def canary(reference: Firsts, today: Firsts, *, permutations: int = 999, seed: int = 0) -> Canary:
    """Over the border prompts of the reference that were asked today; not applicable where there is none.

    Few answers differ by luck alone, today's tenth more than the reference's hundred: ``own`` is what so few answers of
    the reference differ from the rest of it. p is that of ``harness.fidelity.categories.distance``, exact for any
    numbers.

    Source: "B3IT", arXiv 2602.11083 (ICML 2026), for the statistic and for 0.2; it compares with the days before, which
    is ``harness.stats.nights``'.
    """
    prompts = [each.prompt for each in borders(reference, len(reference))]
    return drift({prompt: reference[prompt] for prompt in prompts}, today, permutations=permutations, seed=seed)


def drift(reference: Firsts, today: Firsts, *, permutations: int = 999, seed: int = 0) -> Canary:
    """The same over all prompts with two answers or more from both, and of whole answers too.

    Where an endpoint answers always the same way, one that is another is a change.
    """
    prompts = [prompt for prompt in reference if min(len(reference[prompt]), len(today.get(prompt, ()))) >= 2]
    kept = {prompt: reference[prompt] for prompt in prompts}
    found = categories.distance(kept, today, permutations=permutations, seed=seed)
    variation = categories.total_variation(kept, today)
    if found is None or variation is None:
        return Canary("not applicable", None, None, None, 0)
    own = _own(kept, {prompt: len(today[prompt]) for prompt in prompts})
    changed = found.p_value <= ALPHA and variation - own >= CHANGED
    return Canary("changed" if changed else "same", variation, own, found.p_value, found.prompts)


def _own(reference: Firsts, counts: Mapping[str, int]) -> float:
    """Mean total variation of every stretch of so many of the reference's answers from the rest of them."""
    found = []
    for prompt, answers in reference.items():
        size = min(counts[prompt], len(answers) // 2)
        for start in range(0, len(answers) - size + 1, size) if size else ():
            part, rest = answers[start : start + size], [*answers[:start], *answers[start + size :]]
            found.append(categories.total_variation({prompt: part}, {prompt: rest}) or 0.0)
    return sum(found) / len(found) if found else 0.0
