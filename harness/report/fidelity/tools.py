"""Whether a candidate calls tools as the reference does: when it calls, whether calls fit, and when it has to call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.fidelity.tools import FITS, MARGIN_F1, NO_CALL, Accuracy, outcome, schema_accuracy, triggering
from harness.fidelity.verdict import verdict
from harness.report.fidelity.answers import Answer, Answers
from harness.report.fidelity.finding import Finding, Word
from harness.report.fidelity.kinds import Kinds, by_name, compared, jobs, worst

_REFUSED = "http_4xx"
_NOT_TAKEN = "refused"


def tools(answers: Answers, endpoint: str, tasks: Sequence[str]) -> list[Finding]:
    """Trigger similarity and the fitting of calls, where the model decides whether it calls, and of calls it must make.

    A test of which no request was asked is not there.
    """
    sides = [
        [one for task in tasks for one in answers.first(task)],
        [one for task in tasks for one in answers.again(task)],
        list(answers.all_of(endpoint, tasks)),
    ]
    free = [[one for one in side if one.body.get("tools") and not _forced(one)] for side in sides]
    forced = [[one for one in side if _forced(one)] for side in sides]
    found = [_trigger(endpoint, *free), _fit(endpoint, *free)] if free[0] else []
    if forced[0]:
        found.append(_forced_fit(answers, endpoint, forced))
    return found


def _forced(one: Answer) -> str:
    """The tool that had to be called; empty: none had to."""
    choice = one.body.get("tool_choice")
    return str((choice.get("function") or {}).get("name", "")) if isinstance(choice, dict) else ""


def _trigger(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    sides = [by_name(side, _called) for side in (first, again, own)]
    asked, asked_again, given = (
        {name: [word == "call" for word in words] for name, words in side.items()} for side in sides
    )
    clusters = {one.name: f"{one.task} {one.cluster}" for one in first if one.cluster is not None}
    found = triggering(asked, asked_again, given, clusters)
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
        shown=worst(sides[0], sides[2], jobs(first), jobs(own)),
        details={"f1": found.f1, "self_f1": found.self_f1},
    )


def _fit(endpoint: str, first: Sequence[Answer], again: Sequence[Answer], own: Sequence[Answer]) -> Finding:
    sides = [by_name(side, _outcome) for side in (first, again, own)]
    accuracy, reference = _accuracy(own), _accuracy([*first, *again])
    says = f"{accuracy.right} of {accuracy.called} answers with calls fit, the reference's {reference.right} of "
    says += f"{reference.called}{_named(sides[2])}"
    return compared("tool calls", endpoint, says, sides, jobs(first), jobs(own))


def _forced_fit(answers: Answers, endpoint: str, forced: Sequence[Sequence[Answer]]) -> Finding:
    sides = [by_name(side, _outcome) for side in forced]
    own = jobs(forced[2])
    for task, sample in {(one.task, one.sample) for one in forced[0]}:
        # Who refuses such a request answers it in one way, which is to be seen here.
        fared = answers.asked.get(endpoint, {}).get((task, sample))
        if fared is not None and fared.kind == _REFUSED and fared.job is not None:
            name = f"{task} {sample}"
            sides[2].setdefault(name, []).extend([_NOT_TAKEN] * fared.failed)
            own.setdefault(name, fared.job)
    says = f"{_fitting(sides[2])} calls that had to be made fit, the reference's {_fitting(sides[0], sides[1])}"
    return compared("forced tools", endpoint, f"{says}{_named(sides[2])}", sides, jobs(forced[0]), own)


def _fitting(*sides: Kinds) -> str:
    words = [word for side in sides for some in side.values() for word in some]
    return f"{words.count(FITS)} of {len(words)}"


def _named(side: Kinds) -> str:
    faults = Counter(kind for kinds in side.values() for kind in kinds if kind not in (FITS, NO_CALL)).most_common(4)
    return f"; {', '.join(f'{name} {count}' for name, count in faults)}" if faults else ""


def _called(one: Answer) -> str:
    return "call" if one.calls else NO_CALL


def _outcome(one: Answer) -> str:
    return outcome(one.completion, one.body["tools"], one.faults, _forced(one))


def _accuracy(answers: Sequence[Answer]) -> Accuracy:
    return schema_accuracy((one.completion, one.body["tools"]) for one in answers)


def _percent(answers: Sequence[Answer]) -> str:
    return f"{100 * sum(bool(one.calls) for one in answers) / len(answers):.0f} %" if answers else "nothing"
