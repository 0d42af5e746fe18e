"""Whether a candidate is worse at tasks that have right answers, on the same questions: different is not worse."""

from __future__ import annotations

from statistics import fmean

from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word
from harness.stats.change import Asked, Change
from harness.stats.items import paired_items

MARGIN = 0.05
"""Loss of the share of right answers that would matter."""
ALPHA = 0.05
_MOST_SHOWN = 3


def quality(answers: Answers, endpoint: str, task: str, *, margin: float = MARGIN) -> Finding:
    """Scores of the same questions, one task; the reference's is the mean of both times it was asked."""
    base, own = _scores((*answers.first(task), *answers.again(task))), _scores(answers.candidate(endpoint, task))
    shared = [question for question in base if question in own]
    asked = Asked("difference", "higher", margin, ALPHA)
    cluster = {one.sample: one.cluster for one in answers.candidate(endpoint, task)}
    sides = [base[one] for one in shared], [own[one] for one in shared]
    found = paired_items(*sides, asked, [cluster[one] for one in shared])
    return Finding(
        test=f"score of {task}",
        endpoint=endpoint,
        says=_says(found),
        n=found.n,
        word=lambda _adjusted: _word(found),
        unit="share of right answers",
        value=found.value,
        low=found.low,
        high=found.high,
        mde=found.mde,
        margin=margin,
        shown=_shown(answers, endpoint, task),
        details={"reference": found.base, "candidate": found.candidate, "method": found.method},
    )


def _scores(answers: tuple[Answer, ...]) -> dict[str, float]:
    by_sample: dict[str, list[float]] = {}
    for one in answers:
        if one.score is not None:
            by_sample.setdefault(one.sample, []).append(one.score)
    return {sample: fmean(scores) for sample, scores in by_sample.items()}


def _says(found: Change) -> str:
    if found.base is None or found.candidate is None:
        return found.why
    return f"reference {100 * found.base:.0f} %, candidate {100 * found.candidate:.0f} % right"


def _word(found: Change) -> Word:
    """Worse or not by the margin, each proven at 5 %; no adjustment, for either claim is of this task alone."""
    if found.p_worse is None or found.p_not_worse is None:
        return "inconclusive"
    if found.p_not_worse <= ALPHA:
        return "not worse"
    return "worse" if found.p_changed is not None and found.p_changed <= ALPHA else "inconclusive"


def _shown(answers: Answers, endpoint: str, task: str) -> tuple[Shown, ...]:
    """Questions that the reference has right and the candidate has not."""
    right = {one.sample: one.job for one in reversed(answers.first(task)) if one.score == 1}
    wrong = {one.sample: one.job for one in answers.candidate(endpoint, task) if one.score == 0}
    lost = [sample for sample in right if sample in wrong][:_MOST_SHOWN]
    return tuple(Shown(wrong[one], right[one], f"{one}: right at the reference, wrong here") for one in lost)
