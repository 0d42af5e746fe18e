"""Whether a candidate reads long prompts whole: facts hidden at five depths, in texts of growing length."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.fidelity.context import Needle, Window, window
from harness.report.fidelity.answers import Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always

_TASK = re.compile(r"needle_(\d+)k")
_OVERFLOW = "context_overflow"
_MOST_SHOWN = 2


def is_needle(task: str) -> bool:
    """Whether a task hides facts in long texts."""
    return _TASK.fullmatch(task) is not None


def context(answers: Answers, endpoint: str, tasks: Sequence[str]) -> Finding:
    """What became of the needles, and of the count of prompt tokens, at a candidate and at the reference."""
    own, reference = window(_needles(answers, endpoint, tasks)), window(_needles(answers, answers.reference, tasks))
    if own is None or reference is None:
        return Finding("context", endpoint, "nothing came of the long prompts", 0, always("inconclusive"))
    return Finding(
        test="context",
        endpoint=endpoint,
        says=f"{_told(own)}; the reference: {_told(reference)}",
        n=sum(step.refused + sum(asked for _, asked in step.found.values()) for step in own.steps),
        word=always(_word(own, reference)),
        unit="tokens",
        shown=() if own.fate in ("whole", reference.fate) else _shown(answers, endpoint, tasks),
        details={
            "fate": own.fate,
            "silent": own.silent,
            "whole": own.whole,
            "cut": own.cut,
            "stated": own.stated,
            "steps": [_step(own, at) for at in range(len(own.steps))],
        },
    )


def _needles(answers: Answers, endpoint: str, tasks: Sequence[str]) -> list[Needle]:
    found = []
    for task in tasks:
        thousands = _TASK.fullmatch(task)
        assert thousands is not None
        length, came = 1000 * int(thousands[1]), answers.candidate(endpoint, task)
        for one in came:
            hit = None if one.score is None else one.score == 1
            found.append(Needle(length, _depth(one.sample), hit, one.prompt_tokens))
        for (name, sample), fared in answers.asked.get(endpoint, {}).items():
            if name == task:
                refused = fared.kind == _OVERFLOW
                found += [Needle(length, _depth(sample), None, refused=refused)] * fared.failed
    return found


def _depth(sample: str) -> float:
    """From 0 to 1: a needle's id begins with its percent."""
    return int(sample[:3]) / 100


def _word(own: Window, reference: Window) -> Word:
    if _refuses_more(own, reference):
        return "different"
    if reference.fate in ("lost", "inconclusive"):
        # A model that does not find them anywhere is no yardstick.
        return "not applicable" if reference.fate == "lost" else "inconclusive"
    if reference.fate != "whole":
        return "equivalent" if (own.fate, own.cut) == (reference.fate, reference.cut) else "inconclusive"
    if own.fate == "inconclusive":
        return "inconclusive"
    return "equivalent" if own.fate == "whole" else "different"


def _refuses_more(own: Window, reference: Window) -> bool:
    """Whether a length is refused, or not counted, that the reference takes and counts: no needle need be found."""
    theirs = {step.length: step for step in reference.steps}
    pairs = [(step, theirs[step.length]) for step in own.steps if step.length in theirs]
    return any((step.refused and not its.refused) or (step.stuck and not its.stuck) for step, its in pairs)


def _told(found: Window) -> str:
    if found.fate == "whole":
        return f"read whole up to {found.whole} tokens"
    up_to = f"whole up to {found.whole} tokens, " if found.whole else ""
    silent = " without a word" if found.silent and found.fate != "lost" else ""
    stays = f", counted as {found.stated}" if found.stated is not None else ""
    return f"{up_to}{found.fate}{silent} at {found.cut}{stays}"


def _step(found: Window, at: int) -> dict[str, object]:
    step = found.steps[at]
    return {
        "length": step.length,
        "fate": step.fate,
        "found": {f"{depth:.0%}": list(hits) for depth, hits in step.found.items()},
        "refused": step.refused,
        "prompt_tokens": None if step.prompt_tokens is None else list(step.prompt_tokens),
    }


def _shown(answers: Answers, endpoint: str, tasks: Sequence[str]) -> tuple[Shown, ...]:
    """The shortest prompts whose needle only the reference found."""
    right = {(one.task, one.sample): one.job for one in answers.all_of(answers.reference, tasks) if one.score == 1}
    lost = [one for one in answers.all_of(endpoint, tasks) if one.score == 0 and (one.task, one.sample) in right]
    lost.sort(key=lambda one: len(str(one.body)))
    return tuple(
        Shown(one.job, right[one.task, one.sample], f"{one.task} {one.sample}: found by the reference, not here")
        for one in lost[:_MOST_SHOWN]
    )
