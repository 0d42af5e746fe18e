"""Whether a candidate's answers end as the reference's do, and hold no marks that a server should have taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from harness.fidelity import categories, mmd
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, always
from harness.report.fidelity.worst import worst

_TEST = "endings"


def endings(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Finding:
    """Finish reasons, and the names of what is broken (leaked markup, marks of thinking and turns), of plain text."""
    first = [one for task in tasks for one in answers.first(task)]
    again = [one for task in tasks for one in answers.again(task)]
    own = list(answers.all_of(endpoint, tasks))
    sides = [_by_prompt(side) for side in (first, again, own)]
    gap = categories.against_itself(*sides)
    says = f"{_counted(own)}; the reference: {_counted([*first, *again])}"
    if gap is None:
        return Finding(_TEST, endpoint, says, 0, always("inconclusive"))
    return Finding(
        test=_TEST,
        endpoint=endpoint,
        says=says,
        n=gap.prompts,
        word=partial(gap.word, mmd.MARGIN),
        unit="energy coefficient",
        value=gap.value,
        low=gap.low,
        high=gap.high,
        ceiling=gap.ceiling,
        mde=gap.mde,
        margin=mmd.MARGIN,
        p=gap.p_value,
        shown=worst(sides[0], sides[2], first, own),
        details={"ceiling_p": gap.ceiling_p},
    )


def _ending(one: Answer) -> str:
    return ", ".join((f"ends with {one.finish}", *one.faults))


def _by_prompt(answers: Sequence[Answer]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in answers:
        found.setdefault(one.name, []).append(_ending(one))
    return found


def _counted(answers: Sequence[Answer]) -> str:
    kinds = Counter(map(_ending, answers)).most_common(3)
    return "; ".join(f"{count} {name}" for name, count in kinds) or "nothing"
