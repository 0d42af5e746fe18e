"""Answers of which only the kind counts, such as a call that fits or a finish reason: are they of the same kinds?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from harness.fidelity import categories
from harness.report.fidelity.answers import Answer
from harness.report.fidelity.finding import Finding, Shown, always, of_gap

Kinds = Mapping[str, Sequence[str]]
"""Kinds of answers by ``Answer.name``."""
_MOST_SHOWN = 3


def compared(
    test: str, endpoint: str, says: str, sides: Sequence[Kinds], base: Mapping[str, str], own: Mapping[str, str]
) -> Finding:
    """The finding of a test of kinds.

    Args:
        test: its name.
        endpoint: the candidate.
        says: what was seen, in one line.
        sides: the reference's kinds, the same of its being asked again, and the candidate's.
        base: a job of the reference for each name, the shortest requests first.
        own: one of the candidate.
    """
    gap = categories.against_itself(sides[0], sides[1], sides[2])
    if gap is None:
        return Finding(test, endpoint, says, 0, always("inconclusive"))
    counted = Counter(kind for kinds in sides[2].values() for kind in kinds)
    return of_gap(
        gap,
        categories.MARGIN,
        test=test,
        endpoint=endpoint,
        says=says,
        unit="half the squared difference of shares",
        shown=worst(sides[0], sides[2], base, own),
        details={"kinds": dict(counted.most_common()), "ceiling_p": gap.ceiling_p},
    )


def by_name(answers: Sequence[Answer], kind: Callable[[Answer], str]) -> dict[str, list[str]]:
    """The kinds of answers, as ``kind`` has them."""
    found: dict[str, list[str]] = {}
    for one in answers:
        found.setdefault(one.name, []).append(kind(one))
    return found


def jobs(answers: Sequence[Answer]) -> dict[str, str]:
    """A job of each name, the shortest requests first."""
    found: dict[str, str] = {}
    for one in sorted(answers, key=lambda each: len(str(each.body))):
        found.setdefault(one.name, one.job)
    return found


def worst(asked: Kinds, given: Kinds, base: Mapping[str, str], own: Mapping[str, str]) -> tuple[Shown, ...]:
    """The names with most answers of a kind that the reference, ``asked``, did not give; of equal ones the shortest.

    Jobs as above, ``base`` in the order of their length.
    """
    apart = {
        name: sum(kind not in asked[name] for kind in kinds) / len(kinds) for name in base if (kinds := given.get(name))
    }
    shown = [name for name in sorted(apart, key=lambda each: -apart[each]) if apart[name]][:_MOST_SHOWN]
    return tuple(
        Shown(
            own[name],
            base[name],
            f"{name}: {', '.join(dict.fromkeys(given[name]))}; the reference: {', '.join(dict.fromkeys(asked[name]))}",
        )
        for name in shown
    )
