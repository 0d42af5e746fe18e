"""A gate on a run: every limit, margin, feature and bound of it, and one verdict over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple, get_args

from harness import __version__
from harness.errors import UsageError
from harness.gates import acceptances, baselines, budgets, conformance, fidelity, history, limits, margins
from harness.gates.accepting import accept, unused
from harness.gates.context import Context, context
from harness.gates.judgement import Case, Judgement
from harness.gates.margins import Compared, unmeasured
from harness.gates.terms import MANY, Gate, GateFile
from harness.report.nights.metrics import METRICS, Reading
from harness.stats.gating import Gated, Mode, confirmed, gated
from harness.store.query import held


class _Open(NamedTuple):
    """A comparison that waits for the others of its gate."""

    at: int
    """Place of its case."""
    compared: Compared
    past: history.Past | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """One run, judged by itself."""

    cases: list[Case]
    open: list[_Open]
    words: dict[int, Gated]
    """By place of the case."""


def judge(results: Path, gate: GateFile, runs: Sequence[str], *, today: date | None = None) -> Judgement:
    """Judge a run.

    Args:
        results: the results folder; its runs must be published.
        gate: what is asked of the run.
        runs: the run, and where there is one the rerun that was made to confirm it; ids, or ``latest``.
        today: the day by which acceptances are held; None: today, UTC.

    Raises:
        UsageError: the gate does not fit the run, or the pinned baseline is of another fingerprint.
        ConfigError: acceptances, baseline or lockfile cannot be read.
        StoreError: the results cannot be read.
    """
    today = today or datetime.now(UTC).date()
    granted, pinned = acceptances.read(gate.acceptances), baselines.read(gate.baseline)
    with held(results):
        first = context(results, gate, runs[0], pinned)
        judged = _alone(first)
        again = None
        if len(runs) > 1:
            other = context(results, gate, runs[1], pinned)
            if other.run == first.run:
                raise UsageError(f"run {first.run} cannot confirm itself", hint="Run it once more")
            again = (other, _alone(other))
        cases = _decided(first, judged, again)
        cases += _others(first)
        notes = [] if gate.conformance is None else conformance.notes(results, first.run, gate.conformance)
        if gate.fidelity:
            compared, more = fidelity.cases(first)
            cases, notes = cases + compared, notes + more
    cases = [accept(case, granted, today) for case in cases]
    return Judgement(
        file=gate.file,
        run=first.run,
        confirmed_by=None if again is None else again[0].run,
        cases=tuple(cases),
        warnings=(*_many(gate), *first.trust.warnings, *notes, *unused(granted, cases, today)),
        harness_version=__version__,
        judged_on=today.isoformat(),
    )


# --- one run ---------------------------------------------------------------------------------------------


def _alone(context: Context) -> _Judged:
    """Every limit and margin of a run; those of one mode are judged together."""
    cases: list[Case] = []
    waiting: list[_Open] = []
    for gate in context.gate.gates:
        for endpoint in context.tested(gate):
            for found in _of(context, gate, endpoint):
                if isinstance(found, Case):
                    cases.append(found)
                    continue
                compared, past = found
                waiting.append(_Open(len(cases), compared, past))
                cases.append(margins.case(compared, Gated("inconclusive", None, None, "")))
    words: dict[int, Gated] = {}
    for mode in get_args(Mode):
        own = [one for one in waiting if one.compared.gate.mode == mode]
        for one, word in zip(own, gated([one.compared.change for one in own], mode), strict=True):
            words[one.at] = word
            cases[one.at] = margins.case(one.compared, word)
    return _Judged(cases, waiting, words)


def _of(context: Context, gate: Gate, endpoint: str) -> Iterator[Case | tuple[Compared, history.Past | None]]:
    """What one gate finds at one endpoint, for each piece of work."""
    found = context.readings(gate, endpoint)
    if not found:
        where = ", ".join((*gate.tasks, *gate.stages)) or "run"
        why = context.trust.against(endpoint) or _nothing(context, gate, endpoint)
        yield unmeasured(gate, endpoint, where, why)
    for reading in found:
        why = context.trust.against(endpoint, reading.kind, reading.place)
        if why or reading.value is None:
            yield unmeasured(gate, endpoint, reading.place, why or _no_value(gate, reading))
        elif gate.limit is not None:
            yield limits.case(context.results, METRICS[gate.metric], reading, gate.limit)
        elif gate.mode == "history":
            compared, past = history.against(context, gate, reading)
            yield compared if isinstance(compared, Case) else (compared, past)
        else:
            beside = margins.beside(context, gate, reading)
            yield beside if isinstance(beside, Case) else (beside, None)


def _nothing(context: Context, gate: Gate, endpoint: str) -> str:
    """Why there is no reading."""
    anywhere = replace(gate, tasks=(), stages=())
    places = [one.place for one in context.readings(anywhere, endpoint)]
    if not places:
        return f"run {context.run} measured no {gate.metric} of {endpoint}"
    return f"run {context.run} measured {gate.metric} of {endpoint} at {', '.join(places)} only"


def _no_value(gate: Gate, reading: Reading) -> str:
    if gate.metric == "quality":
        return "too little of what was asked could be scored for a mean to stand for it"
    return f"none of {reading.n} samples has a {gate.metric}" if reading.n else "there are no samples"


# --- twice -----------------------------------------------------------------------------------------------


def _decided(context: Context, judged: _Judged, again: tuple[Context, _Judged] | None) -> list[Case]:
    """The cases after a second look: against history nothing fails that was found only once."""
    cases = list(judged.cases)
    if not context.gate.history.confirm:
        return cases
    for one in judged.open:
        word = judged.words[one.at]
        if one.compared.gate.mode == "history" and word.word == "fail":
            cases[one.at] = _second(context, one, word, again)
    return cases


def _second(context: Context, one: _Open, word: Gated, again: tuple[Context, _Judged] | None) -> Case:
    if again is not None:
        rerun, found = again
        same = (one.compared.gate, one.compared.reading.endpoint, one.compared.reading.stage)
        its = next(
            (found.words[each.at] for each in found.open if _same(each) == same and each.at in found.words), None
        )
        if its is not None and its.p_value is not None:
            said = confirmed(word, its)
            if said.word == "fail":
                said = said._replace(reason=f"{said.reason}, and so in run {rerun.run}")
            return margins.case(one.compared, said)
    before = one.past.worse_before if one.past is not None else None
    if before is not None:
        return margins.case(one.compared, word._replace(reason=f"{word.reason}, as in run {before} before it"))
    told = f"{word.reason}; it fails once a second run finds the same"
    hint = context.again()
    return margins.case(one.compared._replace(unconfirmed=True, next=hint), word._replace(reason=told))


def _same(one: _Open) -> tuple[Gate, str, str]:
    return one.compared.gate, one.compared.reading.endpoint, one.compared.reading.stage


# --- the rest --------------------------------------------------------------------------------------------


def _others(context: Context) -> list[Case]:
    """Features and budget."""
    gate, made = context.gate, []
    if gate.conformance is not None:
        if why := context.trust.whole:
            names = context.tested()
            made += [Case("conformance", "conformance", name, "probes", "error", why) for name in names]
        else:
            made += conformance.cases(context.results, context.run, gate.conformance, context.tested())
    if gate.budget is not None:
        made += budgets.cases(context.results, context.run, gate.budget)
    return made


def _many(gate: GateFile) -> list[str]:
    if (n := len(gate.margins)) <= MANY:
        return []
    return [f"{n} margins are gated; above {MANY} each one needs a larger change to be seen, since all share one level"]
