"""Whether a candidate is worse at tasks that have right answers, on the same questions: different is not worse."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from harness.report.fidelity.answers import Answer, Answers, Sides
from harness.report.fidelity.finding import Finding, Shown, Word
from harness.stats.change import Asked, Change
from harness.stats.items import paired_items

SCORE = "score"
"""Name of the test."""
MARGIN = 0.05
"""Loss of the share of right answers that would matter."""
ALPHA = 0.05
_MOST_SHOWN = 3


def quality(
    answers: Answers, endpoint: str, tasks: Sequence[str], *, name: str = "", margin: float = MARGIN
) -> Finding:
    """Scores of the same questions of some tasks together; the reference's is the mean of both times it was asked.

    ``name`` says which tasks these are; empty: all.
    """
    base, own = _scores(answers.all_of(answers.reference, tasks)), _scores(answers.all_of(endpoint, tasks))
    shared = [question for question in base if question in own]
    sides = [base[one].mean for one in shared], [own[one].mean for one in shared]
    asked = Asked("difference", "higher", margin, ALPHA)
    found = paired_items(*sides, asked, [own[one].cluster for one in shared])
    return Finding(
        test=f"{SCORE} {name}".strip(),
        endpoint=endpoint,
        says=_says(found, answers.sides),
        n=found.n,
        word=lambda _adjusted: word_of(found),
        unit="share of right answers",
        value=found.value,
        low=found.low,
        high=found.high,
        mde=found.mde,
        margin=margin,
        shown=_shown(answers, endpoint, tasks),
        details={"reference": found.base, "candidate": found.candidate, "method": found.method},
    )


def word_of(found: Change) -> Word:
    """Worse or not by the margin, each proven at 5 %; no adjustment, for either claim stands by itself."""
    if found.p_worse is None or found.p_not_worse is None:
        return "inconclusive"
    if found.p_not_worse <= ALPHA:
        return "not worse"
    return "worse" if found.p_changed is not None and found.p_changed <= ALPHA else "inconclusive"


class _Scored(NamedTuple):
    mean: float
    cluster: str | None


def _scores(answers: Sequence[Answer]) -> dict[tuple[str, str], _Scored]:
    found: dict[tuple[str, str], list[Answer]] = {}
    for one in answers:
        if one.score is not None:
            found.setdefault((one.task, one.sample), []).append(one)
    return {
        question: _Scored(fmean(one.score or 0.0 for one in some), some[0].cluster) for question, some in found.items()
    }


def _says(found: Change, sides: Sides) -> str:
    if found.base is None or found.candidate is None:
        return found.why
    return f"{sides.base} {100 * found.base:.0f} %, {sides.other} {100 * found.candidate:.0f} % right"


def _shown(answers: Answers, endpoint: str, tasks: Sequence[str]) -> tuple[Shown, ...]:
    """Questions that the reference has right and the candidate has not."""
    asked, given = answers.all_of(answers.reference, tasks), answers.all_of(endpoint, tasks)
    right = {(one.task, one.sample): one.job for one in reversed(asked) if one.score == 1}
    wrong = {(one.task, one.sample): one.job for one in reversed(given) if one.score == 0}
    lost = [question for question in right if question in wrong][:_MOST_SHOWN]
    told = f"{answers.sides.base}: right, {answers.sides.other}: wrong"
    return tuple(Shown(wrong[one], right[one], f"{' '.join(one)}: {told}") for one in lost)
