"""Whether a candidate's answers are draws from the reference's distribution."""

from __future__ import annotations

from harness.fidelity.mmd import MARGIN, against_itself, distance
from harness.fidelity.mmd import Answers as Texts
from harness.report.fidelity.answers import Answer, Answers, texts
from harness.report.fidelity.finding import Finding, Shown, always, of_gap

TASK = "fidelity_text"
_MOST_SHOWN = 3


def distribution(answers: Answers, endpoint: str, *, margin: float = MARGIN, seed: int = 0) -> Finding:
    """Maximum mean discrepancy of the answers to the same prompts, against the reference's own noise."""
    first, again = answers.first(TASK), answers.again(TASK)
    own = answers.candidate(endpoint, TASK)
    asked, asked_again, given = texts(first), texts(again), texts(own)
    gap = against_itself(asked, asked_again, given, seed=seed)
    if gap is None:
        says = "no prompt has two answers from the reference, from the reference again and from the candidate"
        return Finding("distribution", endpoint, says, 0, always("inconclusive"))
    return of_gap(
        gap,
        margin,
        test="distribution",
        endpoint=endpoint,
        says=f"{_each(own)} answers to each of {gap.prompts} prompts, letter by letter",
        unit="energy coefficient, 0 the same, 1 nothing in common",
        shown=_shown(asked, given, first, own),
        details={"ceiling_p": gap.ceiling_p},
    )


def _each(own: tuple[Answer, ...]) -> int:
    """Answers of most prompts."""
    counts = sorted(len(some) for some in texts(own).values())
    return counts[len(counts) // 2]


def _shown(asked: Texts, given: Texts, first: tuple[Answer, ...], own: tuple[Answer, ...]) -> tuple[Shown, ...]:
    """The prompts whose answers differ most."""
    found = distance(asked, given, permutations=1)
    if found is None:
        return ()
    worst = sorted(found.by_prompt, key=lambda prompt: -found.by_prompt[prompt])[:_MOST_SHOWN]
    jobs = {}
    for one in (*reversed(first), *reversed(own)):
        jobs[one.sample, one in own] = one.job
    return tuple(Shown(jobs[prompt, True], jobs[prompt, False], f"answers to {prompt} differ most") for prompt in worst)
