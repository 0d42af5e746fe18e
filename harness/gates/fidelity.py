"""Whether an endpoint still serves what it served: tonight's answers against those of one night of its own past.

No reference is asked. The night is the pinned one, or else the first of the same fingerprint: what is compared with
last night would forget a change after one night, and would never see one that comes in small steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from harness.errors import UsageError
from harness.fidelity import mmd
from harness.fidelity.border import CHANGED, Canary, drift
from harness.gates.context import Context
from harness.gates.history import refuse_another
from harness.gates.judgement import Case, Verdict
from harness.record.folder import open_run
from harness.report.fidelity import prompts
from harness.report.fidelity.answers import Answer, Answers, answers_in, by_place, texts
from harness.report.fidelity.distribution import TASK as TEXT
from harness.report.fidelity.prompts import prompt_tokens
from harness.report.fidelity.sampling import TASK as GREEDY
from harness.report.nights.fingerprint import Fingerprint, fingerprint, planned
from harness.report.nights.metrics import METRICS, Reading
from harness.stats.family import holm
from harness.store.query import rows

TASKS: Mapping[str, str] = {
    "prompt_tokens": prompts.TASK,
    "greedy": GREEDY,
    "answers": TEXT,
    "border": "fidelity_border",
}
"""Test -> the task that it is made of."""
ALPHA = 0.001
"""Chance of a false alarm of all tests of a night together: permutation tests are exact, so one look is enough."""
PERMUTATIONS = 9_999
_FEWEST = 5
"""Prompts below which nothing is said."""
_BEFORE, _NOW = "before", "now"
_ANSWERED = "select run_id from quality_summary where endpoint = ? and task = ? and n_scored >= 0.5 * n_planned"
"""Nights on which most was answered; an endpoint without eyes refuses each night the same pictures."""


class Found(NamedTuple):
    """What one test saw; ``word`` gives the verdict by the adjusted p, None where the test has none."""

    says: str
    n: int
    word: Callable[[float | None], tuple[Verdict, str]]
    """Verdict, and what is added to ``says``."""
    unit: str = ""
    value: float | None = None
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    mde: float | None = None
    p: float | None = None


@dataclass
class _Night:
    """The answers of runs by place, read once each."""

    context: Context
    read: dict[str, dict[tuple[str, str], tuple[Answer, ...]]] = field(default_factory=dict)

    def of(self, run: str, endpoint: str, task: str) -> tuple[Answer, ...]:
        """Errors: UsageError where the texts are gone; the others as ``rows``."""
        if run not in self.read:
            results = self.context.results
            self.read[run] = by_place(answers_in(results, open_run(results, run)))
        return self.read[run].get((endpoint, task), ())


def cases(context: Context) -> tuple[list[Case], list[str]]:
    """A case for each test of each endpoint, and what is to be said of tests that could not apply.

    Raises:
        UsageError: the pinned night is of another fingerprint.
        StoreError: the results cannot be read.
    """
    made: list[Case] = []
    open_ones: list[tuple[int, Found]] = []
    notes: list[str] = []
    night = _Night(context)
    for endpoint in context.tested():
        for test in _asked(context):
            found = _one(context, night, endpoint, test)
            if isinstance(found, str):
                notes.append(f"{endpoint}: {test} does not apply: {found}")
            elif isinstance(found, Case):
                made.append(found)
            else:
                open_ones.append((len(made), found[1]))
                made.append(found[0])
    adjusted = iter(holm([seen.p for _, seen in open_ones if seen.p is not None]))
    for place, seen in open_ones:
        p = None if seen.p is None else next(adjusted)
        verdict, more = seen.word(p)
        told = replace(made[place], verdict=verdict, reason=f"{seen.says}{more}", p_adjusted=p)
        pin = f"--set-baseline {context.run} --why WHY --who WHO"
        made[place] = replace(told, next=context.gate_command(pin)) if verdict == "fail" else told
    return made, notes


def _asked(context: Context) -> Sequence[str]:
    """The tests that the gate names; of ``all`` those whose task the run asked, or all where it asked none."""
    wanted = context.gate.fidelity
    if "all" not in wanted:
        return wanted
    names = {task.get("name") for task in context.manifest.get("tasks") or ()}
    return [test for test, task in TASKS.items() if task in names] or list(TASKS)


def _one(context: Context, night: _Night, endpoint: str, test: str) -> Case | tuple[Case, Found] | str:
    """A case that is decided, one that waits for the others of its night, or why the test does not apply."""
    task = TASKS[test]
    empty = Case("fidelity", test, endpoint, task, "error", "")
    place = Reading(context.run, endpoint, "quality", task, f"quality.{task}", None, 0, None, ())
    if why := context.trust.against(endpoint, "quality", task):
        return replace(empty, reason=why)
    if (endpoint, *_place(place)) not in planned(context.manifest):
        return replace(empty, reason=f"run {context.run} did not ask {task}")
    base = _base(context, place)
    if base is None:
        why = f"no earlier night of the same; later ones are compared with run {context.run}"
        return replace(empty, verdict="inconclusive", reason=why, next=context.again())
    try:
        before, now = night.of(base, endpoint, task), night.of(context.run, endpoint, task)
    except UsageError as error:
        return replace(empty, verdict="inconclusive", reason=str(error))
    found = _TESTS[test](before, now, _alpha(context))
    if isinstance(found, str):
        return found
    case = replace(
        empty,
        unit=found.unit,
        value=found.value,
        limit=found.limit,
        low=found.low,
        high=found.high,
        mde=found.mde,
        p_value=found.p,
        alpha=None if found.p is None else _alpha(context),
        n=found.n,
        counted="prompts",
        method=f"against run {base}",
    )
    return case, found


def _alpha(context: Context) -> float:
    return ALPHA if context.gate.alpha is None else context.gate.alpha


# --- the night it is compared with -----------------------------------------------------------------------


def _base(context: Context, place: Reading) -> str | None:
    """The pinned night, or the first one of the same fingerprint; None: there is none."""
    mine = _print(context.manifest, place)
    pinned = context.baselines.get(place.endpoint)
    if pinned is not None:
        refuse_another(context, place, mine)
    found = rows(context.results, _ANSWERED, [place.endpoint, place.task])
    answered = {row["run_id"] for row in found}
    if pinned is not None:
        return pinned.run if pinned.run in answered and pinned.run != context.run else None
    return next((run.id for run in context.earlier if run.id in answered and _print(run.manifest, place) == mine), None)


def _print(manifest: Mapping[str, object], place: Reading) -> Fingerprint:
    """Of whom, what and how it was asked. Which machine asked is no matter: no times are compared."""
    found = fingerprint(dict(manifest), METRICS["error_rate"], place)
    return Fingerprint(tuple((name, value) for name, value in found.parts if name != "host"))


def _place(reading: Reading) -> tuple[str, str, str]:
    return reading.kind, reading.task, reading.stage


# --- the tests -------------------------------------------------------------------------------------------


def _prompt_tokens(before: Sequence[Answer], now: Sequence[Answer], alpha: float) -> Found | str:  # noqa: ARG001 - one shape
    """Counts know no chance: one that differs where the earlier night agrees with itself is a difference."""
    was, is_ = _counts(before), _counts(now)
    steady = [shape for shape in was if len(was[shape]) == 1 and shape in is_]
    if not was:
        return "the prompt tokens were not stated" if not is_ else "they were not stated before, and are now"
    if not is_:
        return Found("the prompt tokens are no longer stated", len(was), _always("fail"))
    if not steady:
        return Found("no count was steady on the earlier night", 0, _always("inconclusive"))
    mixed = [shape for shape in steady if len(is_[shape]) > 1]
    answers = Answers(
        _BEFORE,
        (_NOW,),
        by_place([*((_BEFORE, a) for a in before), *((_NOW, a) for a in now)]),
        {_BEFORE: {}, _NOW: {}},
    )
    told = prompt_tokens(answers, _NOW)
    changed = [shape for shape in steady if is_[shape] != was[shape]]
    says = f"changed on {len(changed)} of {len(steady)} shapes of prompts" if changed else told.says
    says += f": {told.says}" if changed and told.value else ""
    says += f"; {len(mixed)} have several counts tonight, as of several servers" if mixed else ""
    return Found(
        says, len(steady), _always("fail" if changed else "pass"), unit="tokens", value=told.value or 0.0, limit=0.0
    )


def _counts(answers: Sequence[Answer]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for one in answers:
        if one.prompt_tokens is not None:
            found.setdefault(one.sample, set()).add(one.prompt_tokens)
    return found


def _greedy(before: Sequence[Answer], now: Sequence[Answer], alpha: float) -> Found | str:
    """Answers at temperature 0, letter by letter."""
    was, is_ = (_said(side) for side in (before, now))
    found = drift(was, is_, permutations=PERMUTATIONS)
    others = sum(_usual(was[prompt]) != _usual(is_[prompt]) for prompt in was if prompt in is_)
    return _of_words(found, found, alpha, f"{others} of {found.prompts} prompts have another usual answer")


def _border(before: Sequence[Answer], now: Sequence[Answer], alpha: float) -> Found | str:
    """First tokens of short prompts; how far they moved is measured on those that move at all.

    p is of all prompts: of those alone that vary on one night it would be too small, for they are chosen by that.
    """
    was, is_ = (_said(side) for side in (before, now))
    moving = {prompt: was[prompt] for prompt in was if prompt in is_ and len({*was[prompt], *is_[prompt]}) > 1}
    found = drift(was, is_, permutations=PERMUTATIONS)
    says = f"{len(moving)} of {found.prompts} prompts have more than one answer"
    if not moving and found.prompts >= _FEWEST:
        return Found(says, found.prompts, _always("pass"), "share", 0.0, CHANGED)
    return _of_words(found, drift(moving, is_, permutations=1), alpha, says)


def _of_words(found: Canary, moved: Canary, alpha: float, says: str) -> Found:
    """The verdict by the p of ``found`` and by how far the answers of ``moved`` are from before."""
    if found.prompts < _FEWEST or found.p_value is None or moved.variation is None or moved.own is None:
        return Found(f"{found.prompts} prompts have answers of both nights", found.prompts, _always("inconclusive"))
    beyond = moved.variation - moved.own

    def word(adjusted: float | None) -> tuple[Verdict, str]:
        if adjusted is None or adjusted > alpha:
            return "pass", "; no more than chance"
        return ("fail", "") if beyond >= CHANGED else ("pass", f"; less than {100 * CHANGED:.0f} % of the answers")

    return Found(says, found.prompts, word, "share", max(0.0, beyond), CHANGED, p=found.p_value)


def _answers(before: Sequence[Answer], now: Sequence[Answer], alpha: float) -> Found | str:
    """Whether answers at temperature 1 are still draws from one distribution."""
    was, is_ = texts([one for one in before if one.ok]), texts([one for one in now if one.ok])
    found = mmd.distance(was, is_, permutations=PERMUTATIONS, alpha=alpha)
    if found is None or found.prompts < _FEWEST:
        n = 0 if found is None else found.prompts
        return Found(f"{n} prompts have two answers of both nights", n, _always("inconclusive"))
    high, mde = found.high, found.mde

    def word(adjusted: float | None) -> tuple[Verdict, str]:
        shown = adjusted is not None and adjusted <= alpha
        if shown and found.effect > mmd.MARGIN:
            return "fail", "; answers of another distribution"
        if high is not None and high <= mmd.MARGIN:
            return "pass", "; within the margin, and so is all of its interval"
        if shown:
            return "inconclusive", "; changed, but perhaps by less than the margin"
        seen = mde is not None and mde <= mmd.MARGIN
        return ("pass", "; no more than chance") if seen else ("inconclusive", "; too few answers to see the margin")

    return Found(
        says=f"{found.answers[1]} answers to {found.prompts} prompts, {found.answers[0]} before",
        n=found.prompts,
        word=word,
        unit="effect",
        value=found.effect,
        limit=mmd.MARGIN,
        low=found.low,
        high=found.high,
        mde=found.mde,
        p=found.p_value,
    )


_TESTS: Mapping[str, Callable[[Sequence[Answer], Sequence[Answer], float], Found | str]] = {
    "prompt_tokens": _prompt_tokens,
    "greedy": _greedy,
    "answers": _answers,
    "border": _border,
}


def _said(answers: Sequence[Answer]) -> dict[str, list[str]]:
    """What was answered to each prompt; of an endpoint that thinks first, what it thought."""
    found: dict[str, list[str]] = {}
    for one in answers:
        if one.ok:
            found.setdefault(one.sample, []).append(one.text or one.reasoning)
    return found


def _usual(answers: Sequence[str]) -> str:
    return max(sorted(set(answers)), key=answers.count)


def _always(verdict: Verdict) -> Callable[[float | None], tuple[Verdict, str]]:
    return lambda _adjusted: (verdict, "")
