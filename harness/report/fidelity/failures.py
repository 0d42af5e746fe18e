"""Whether a candidate answers at all where the reference does; failures are on their own, and no part of any score."""

from __future__ import annotations

from collections import Counter

from harness.report.fidelity.answers import Answers, Asked
from harness.report.fidelity.finding import Finding, Shown
from harness.report.fidelity.prompts import pictures_refused
from harness.report.fidelity.quality import ALPHA, word_of
from harness.report.fidelity.signals import OPTIONAL
from harness.stats import change
from harness.stats.items import paired_items

ANSWERED = "answered"
"""Name of the test."""
MARGIN = 0.05
"""More questions without an answer, as a share, that would matter."""
_MOST_SHOWN = 3


def failures(answers: Answers, endpoint: str) -> Finding:
    """Of the questions that both were asked, the share of times that each gave an answer."""
    base, own = (_asked(answers, one) for one in (answers.reference, endpoint))
    shared = [question for question in base if question in own]
    asked = change.Asked("difference", "higher", MARGIN, ALPHA)
    found = paired_items([_share(base[one]) for one in shared], [_share(own[one]) for one in shared], asked)
    failed = sorted((one for one in shared if own[one].failed), key=lambda one: own[one].failed, reverse=True)
    return Finding(
        test=ANSWERED,
        endpoint=endpoint,
        says=f"{_counted(own)}; {answers.sides.base} {_counted(base)}",
        n=found.n,
        word=lambda _adjusted: word_of(found),
        unit="share of requests with an answer",
        value=found.value,
        low=found.low,
        high=found.high,
        mde=found.mde,
        margin=MARGIN,
        shown=tuple(
            Shown(job, None, f"{' '.join(one)}: no answer ({own[one].kind})")
            for one in failed[:_MOST_SHOWN]
            if (job := own[one].job) is not None
        ),
    )


def _asked(answers: Answers, endpoint: str) -> dict[tuple[str, str], Asked]:
    refused = pictures_refused(answers)
    fared = answers.asked.get(endpoint, {})
    return {name: one for name, one in fared.items() if name[0] not in OPTIONAL and name not in refused}


def _share(asked: Asked) -> float:
    return 1 - asked.failed / asked.n


def _counted(asked: dict[tuple[str, str], Asked]) -> str:
    failed, n = sum(one.failed for one in asked.values()), sum(one.n for one in asked.values())
    kinds = Counter[str]()
    for one in asked.values():
        if one.kind is not None:
            kinds[one.kind] += one.failed
    named = f" ({', '.join(f'{kind} {count}' for kind, count in kinds.most_common(3))})" if kinds else ""
    return f"{failed} of {n} failed{named}"
