"""The prompts that show a difference of kinds best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.fidelity.answers import Answer
from harness.report.fidelity.finding import Shown

_MOST = 3


def worst(
    asked: Mapping[str, Sequence[str]],
    given: Mapping[str, Sequence[str]],
    first: Sequence[Answer],
    own: Sequence[Answer],
) -> tuple[Shown, ...]:
    """The prompts with most answers of a kind that the reference did not give.

    Args:
        asked: kinds of the reference's answers, by ``Answer.name``.
        given: those of the candidate.
        first: the reference's answers.
        own: the candidate's.
    """
    jobs: dict[tuple[str, str], str] = {}
    for side, some in (("reference", first), ("candidate", own)):
        for one in reversed(some):
            jobs[one.name, side] = one.job
    apart = {
        name: sum(word not in asked[name] for word in words) / len(words)
        for name, words in given.items()
        if name in asked
    }
    shown = [name for name in sorted(apart, key=lambda each: -apart[each]) if apart[name]][:_MOST]
    return tuple(
        Shown(
            jobs[name, "candidate"],
            jobs[name, "reference"],
            f"{name}: {', '.join(dict.fromkeys(given[name]))}; the reference: {', '.join(dict.fromkeys(asked[name]))}",
        )
        for name in shown
    )
