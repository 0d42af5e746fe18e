"""Whether the answers that flip at the reference flip as often at a candidate."""

from __future__ import annotations

from collections.abc import Sequence

from harness.fidelity.border import CHANGED, Firsts, moved
from harness.fidelity.verdict import verdict
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always

TASK = "fidelity_border"
TEST = "border inputs"
_MOST_SHOWN = 2


def border(answers: Answers, endpoint: str) -> Finding:
    """Total variation of the answers to prompts of one token that lie on a border at the reference."""
    asked, own = answers.first(TASK), answers.candidate(endpoint, TASK)
    first, again, given = firsts(asked), firsts(answers.again(TASK)), firsts(own)
    found = moved(first, again, given)
    if found is None:
        always_same = f"the reference always gives the same answer to each of {len(first)} prompts"
        return Finding(TEST, endpoint, always_same, 0, always("not applicable"))
    worst = sorted(found.variation, key=lambda prompt: -found.variation[prompt])[:_MOST_SHOWN]

    def word(adjusted: float | None) -> Word:
        return "inconclusive" if adjusted is None else verdict(found.low, found.high, adjusted, CHANGED)

    return Finding(
        test=TEST,
        endpoint=endpoint,
        says=f"{len(found.variation)} of {len(first)} prompts of one token have more than one answer at the reference",
        n=len(found.variation),
        word=word,
        unit="total variation",
        value=found.value,
        low=found.low,
        high=found.high,
        ceiling=found.ceiling,
        mde=found.mde,
        margin=CHANGED,
        p=found.p_value,
        shown=tuple(_shown(prompt, first, given, asked, own) for prompt in worst),
        details={"variation": dict(found.variation)},
    )


def firsts(answers: Sequence[Answer]) -> dict[str, list[str]]:
    """What was answered to each prompt; of an endpoint that thinks first, what it thought first."""
    found: dict[str, list[str]] = {}
    for one in answers:
        found.setdefault(one.sample, []).append(one.text or one.reasoning)
    return found


def _shown(prompt: str, first: Firsts, given: Firsts, asked: Sequence[Answer], own: Sequence[Answer]) -> Shown:
    here, there = (next(one.job for one in side if one.sample == prompt) for side in (own, asked))
    return Shown(here, there, f"{prompt!r}: {_counted(given[prompt])}; the reference {_counted(first[prompt])}")


def _counted(words: Sequence[str]) -> str:
    return ", ".join(f"{word!r} {words.count(word)} times" for word in sorted(set(words), key=words.count)[::-1])
