"""Border inputs: prompts of one token whose greedy first token is a near tie, and flips with the least change.

An endpoint that answers always the same way has none, and a canary of border inputs says nothing about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.fidelity import categories
from harness.stats.means import standard_error, student_interval
from harness.stats.power import ALPHA, smallest_detectable_mean
from harness.stats.resampling import sign_flip_p

Firsts = Mapping[str, Sequence[str]]
"""First tokens (or answers of one token) at temperature 0, by prompt."""
BorderWord = Literal["same", "changed", "not applicable"]

_LUCK = 200
"""Draws of what luck alone does to one prompt."""
KEPT = 20
FEWEST = 5
"""Border prompts below which chance cannot be bounded."""
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
    """The same of two draws from the reference's shares, as many answers as there are of either; the yardstick. None:
    as above."""
    p_value: float | None
    """That today's answers and the reference's are of one distribution; None: not applicable."""
    prompts: int


def canary(reference: Firsts, today: Firsts, *, permutations: int = 999, seed: int = 0) -> Canary:
    """Over the border prompts of the reference that were asked today; not applicable where there is none.

    Few answers differ by luck alone: ``own`` is what as many answers as there are today differ from as many as were
    kept, all drawn anew from the shares of those that were kept. p is that of ``harness.fidelity.categories.distance``,
    exact for any numbers, as long as the prompts were not chosen by these answers.

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
    own = _own(kept, {prompt: len(today[prompt]) for prompt in prompts}, seed)
    changed = found.p_value <= ALPHA and variation - own >= CHANGED
    return Canary("changed" if changed else "same", variation, own, found.p_value, found.prompts)


@dataclass(frozen=True, slots=True)
class Moved:
    """How a candidate's first tokens at the reference's borders differ from the reference's."""

    value: float
    """Mean over border prompts of the total variation of reference and candidate less ``ceiling``."""
    low: float | None
    """Of its 95 % interval, Student's over prompts; None: fewer than ``FEWEST``."""
    high: float | None
    ceiling: float
    """The same mean of reference and reference."""
    p_value: float
    mde: float | None
    """Smallest ``value`` found with probability 0.8; None: as ``low``."""
    variation: Mapping[str, float]
    """Total variation of reference and candidate, by border prompt."""


def moved(reference: Firsts, again: Firsts, candidate: Firsts, *, seed: int = 0) -> Moved | None:
    """Of the prompts that are on a border in ``reference`` alone; ``again`` is it asked as often a second time.

    None: there are no such prompts, as where an endpoint always gives the same answer.

    Given the answers of ``reference``, those of ``again`` and of an equal candidate are two draws from one
    distribution, whichever prompts were chosen by the first: so each prompt's total variation from the one, less that
    from the other, is as likely below 0 as above, and p is by sign flips (mid-p: few answers have few variations). A
    test of ``reference`` and candidate alone would be wrong, for the prompts are chosen since ``reference`` varies
    there. With fewer than some ten borders p is small too seldom: so few signs have no sums between.
    """
    shared = [prompt for prompt in reference if again.get(prompt) and candidate.get(prompt)]
    on_border = [each.prompt for each in borders({prompt: reference[prompt] for prompt in shared}, len(shared))]
    if not on_border:
        return None
    there, here = (
        {prompt: categories.apart(reference[prompt], side[prompt]) for prompt in on_border}
        for side in (candidate, again)
    )
    gaps = [there[prompt] - here[prompt] for prompt in on_border]
    value, error = fmean(gaps), standard_error(gaps)
    low = high = mde = None
    if error is not None and len(gaps) >= FEWEST:
        low, high = student_interval(value, error, len(gaps) - 1)
        mde = smallest_detectable_mean(error, len(gaps) - 1)
    p_value, _ = sign_flip_p(gaps, seed=seed, mid=True)
    return Moved(value, low, high, fmean(here.values()), p_value, mde, there)


def _own(reference: Firsts, counts: Mapping[str, int], seed: int) -> float:
    """Mean total variation of so many answers from the reference's shares and as many as the reference has."""
    import numpy as np  # noqa: PLC0415 - only a report with a canary waits for it

    draw, found = np.random.default_rng(seed), []
    for prompt, answers in reference.items():
        shares = [answers.count(word) / len(answers) for word in dict.fromkeys(answers)]
        one, other = (draw.multinomial(n, shares, _LUCK) / n for n in (counts[prompt], len(answers)))
        found.append(float(abs(one - other).sum(axis=1).mean()) / 2)
    return fmean(found) if found else 0.0
