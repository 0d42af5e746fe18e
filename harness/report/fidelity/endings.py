"""Whether a candidate's answers end as the reference's do, and hold no marks that a server should have taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding
from harness.report.fidelity.kinds import by_name, compared, jobs

_MOST_TOLD = 3


def endings(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Finding:
    """Finish reasons, and the names of what is broken (leaked markup, marks of thinking and turns), of plain text."""
    first = [one for task in tasks for one in answers.first(task)]
    again = [one for task in tasks for one in answers.again(task)]
    own = answers.all_of(endpoint, tasks)
    sides = [by_name(side, _ending) for side in (first, again, own)]
    says = f"{_counted(own)}; the reference: {_counted([*first, *again])}"
    return compared("endings", endpoint, says, sides, jobs(first), jobs(own))


def _ending(one: Answer) -> str:
    return " with ".join((one.finish or "no finish reason", *one.faults))


def _counted(answers: Sequence[Answer]) -> str:
    kinds = Counter(map(_ending, answers)).most_common(_MOST_TOLD)
    return ", ".join(f"{name} {count}" for name, count in kinds) or "nothing"
