"""Whether a candidate calls tools as the reference does: when it calls, and whether its calls fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from harness.fidelity import categories, mmd
from harness.fidelity.tools import MARGIN_F1, Accuracy, call_fault, schema_accuracy, triggering
from harness.fidelity.verdict import verdict
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Shown, Word, always

_MOST_SHOWN = 3
_FITS, _NONE = "fits", "no call"


def tools(answers: Answers, endpoint: str, tasks: Sequence[str]) -> list[Finding]:
    """Trigger similarity and the fitting of calls, of requests that leave it to the model whether it calls."""
    first = [one for task in tasks for one in answers.first(task) if _free(one)]
    again = [one for task in tasks for one in answers.again(task) if _free(one)]
    own = [one for one in answers.all_of(endpoint, tasks) if _free(one)]
    return [_trigger(endpoint, first, again, own), _fit(endpoint, first, again, own)]


def _free(one: Answer) -> bool:
    return bool(one.body.get("tools")) and one.body.get("tool_choice", "auto") == "auto"


def _trigger(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    sides = [_by_prompt(side, called=True) for side in (first, again, own)]
    asked, asked_again, given = (
        {name: [word == "call" for word in words] for name, words in side.items()} for side in sides
    )
    found = triggering(asked, asked_again, given)
    rates = f"calls {_percent(own)}, the reference {_percent([*first, *again])}"
    f1 = "" if found.f1 is None or found.self_f1 is None else f"; F1 {found.f1:.3f}, its own {found.self_f1:.3f}"

    def word(adjusted: float | None) -> Word:
        if adjusted is None:
            return "inconclusive"
        return verdict(found.low, found.high, adjusted, MARGIN_F1)

    return Finding(
        test="tool triggers",
        endpoint=endpoint,
        says=f"{rates}{f1}",
        n=found.prompts,
        word=word,
        unit="F1",
        value=found.gap,
        low=found.low,
        high=found.high,
        ceiling=None if found.self_f1 is None else 1 - found.self_f1,
        mde=found.mde,
        margin=MARGIN_F1,
        p=found.p_value,
        shown=_shown(sides[0], sides[2], first, own),
        details={"f1": found.f1, "self_f1": found.self_f1},
    )


def _fit(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    sides = [_by_prompt(side, called=False) for side in (first, again, own)]
    gap = categories.against_itself(*sides)
    accuracy, reference = _accuracy(own), _accuracy([*first, *again])
    faults = Counter(word for words in sides[2].values() for word in words if word not in (_FITS, _NONE))
    named = f"; {', '.join(f'{name} {count}' for name, count in faults.most_common(4))}" if faults else ""
    says = f"{accuracy.right} of {accuracy.called} answers with calls fit, the reference's {reference.right} of "
    says += f"{reference.called}{named}"
    if gap is None:
        return Finding("tool calls", endpoint, says, 0, always("inconclusive"))
    return Finding(
        test="tool calls",
        endpoint=endpoint,
        says=says,
        n=gap.prompts,
        word=partial(gap.word, mmd.MARGIN),
        unit="half the squared difference of shares",
        value=gap.value,
        low=gap.low,
        high=gap.high,
        ceiling=gap.ceiling,
        mde=gap.mde,
        margin=mmd.MARGIN,
        p=gap.p_value,
        shown=_shown(sides[0], sides[2], first, own),
        details={"faults": dict(faults), "ceiling_p": gap.ceiling_p},
    )


def _by_prompt(answers: Sequence[Answer], *, called: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in answers:
        word = ("call" if one.calls else _NONE) if called else _outcome(one)
        found.setdefault(f"{one.task} {one.sample}", []).append(word)
    return found


def _outcome(one: Answer) -> str:
    """What became of an answer: no call, calls that fit, or the names of what is wrong with it."""
    faults = {fault for call in one.completion.tool_calls if (fault := call_fault(call, one.body["tools"]))}
    return ", ".join(sorted({*faults, *one.faults} - {"no_schema"})) or (_FITS if one.calls else _NONE)


def _accuracy(answers: Sequence[Answer]) -> Accuracy:
    return schema_accuracy((one.completion, one.body["tools"]) for one in answers)


def _percent(answers: Sequence[Answer]) -> str:
    return f"{100 * sum(bool(one.calls) for one in answers) / len(answers):.0f} %" if answers else "nothing"


def _shown(
    asked: dict[str, list[str]], given: dict[str, list[str]], first: Sequence[Answer], own: Sequence[Answer]
) -> tuple[Shown, ...]:
    """The prompts with most answers of a kind that the reference did not give."""
    jobs: dict[tuple[str, str], str] = {}
    for side, some in (("reference", first), ("candidate", own)):
        for one in reversed(some):
            jobs[f"{one.task} {one.sample}", side] = one.job
    apart = {
        name: sum(word not in asked[name] for word in words) / len(words)
        for name, words in given.items()
        if name in asked
    }
    worst = [name for name in sorted(apart, key=lambda each: -apart[each]) if apart[name]][:_MOST_SHOWN]
    return tuple(
        Shown(
            jobs[name, "candidate"],
            jobs[name, "reference"],
            f"{name}: {', '.join(dict.fromkeys(given[name]))}; the reference: {', '.join(dict.fromkeys(asked[name]))}",
        )
        for name in worst
    )
