"""A run against the last good nights of the same fingerprint, and whether a second one found the same.

A night is good if it was measured to its end and was not itself worse than the good nights before it: what is broken
for a week does not become what is expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from harness.errors import UsageError
from harness.gates.context import Context, utc
from harness.gates.judgement import Case
from harness.gates.margins import Compared, asked_of, questions, unmeasured
from harness.gates.terms import Gate
from harness.report.comparison.same_questions import Asked as Side
from harness.report.nights.fingerprint import Fingerprint, fingerprint, planned
from harness.report.nights.metrics import METRICS, NightlyMetric, Reading, readings
from harness.stats.change import Asked, Change
from harness.stats.gating import GateWord, gated
from harness.stats.nights import FEWEST_NIGHTS, against_nights, against_share_nights

_LOOKED_AT = 3
"""Times as many nights as count are looked at: some of them may have been bad."""
_NAMED = 3
"""Differences that one line tells."""


class Night(NamedTuple):
    """One earlier run of the same, as far as a metric goes."""

    run: str
    reading: Reading
    good: bool


class Past(NamedTuple):
    """What came before a run."""

    nights: tuple[Night, ...]
    """Of the same fingerprint, the oldest first."""
    others: int
    """Earlier runs of another one."""
    difference: tuple[str, ...]
    """How the last of those differs."""

    @property
    def good(self) -> list[Reading]:
        """The good nights."""
        return [night.reading for night in self.nights if night.good]

    @property
    def worse_before(self) -> str | None:
        """The run just before, if it was worse as well; None: it was not, or there is none."""
        return self.nights[-1].run if self.nights and not self.nights[-1].good else None


def against(context: Context, gate: Gate, reading: Reading) -> tuple[Compared | Case, Past | None]:
    """A reading against its past; of questions with a pinned run against the answers of that run.

    The past is None where that is no matter.

    Errors: UsageError when the pinned baseline is of another fingerprint; the others as ``rows``.
    """
    metric = METRICS[gate.metric]
    mine = fingerprint(context.manifest, metric, reading)
    pinned = context.baselines.get(reading.endpoint)
    if pinned is not None:
        refuse_another(context, reading, mine)
        if reading.kind in ("quality", "tools") and gate.metric in ("quality", "error_rate"):
            return _against_pinned(context, gate, reading, pinned.run), None
    past = _past(context, gate, reading, mine, since=None if pinned is None else utc(pinned.began))
    asked = asked_of(context, gate)
    change = compare(metric, past.good[-context.gate.history.nights :], reading, asked)
    compared = Compared(gate, reading, change, "nights")
    if len(past.good) < FEWEST_NIGHTS:
        return _too_few(context, compared, past), past
    return compared, past


def compare(metric: NightlyMetric, nights: Sequence[Reading], tonight: Reading, asked: Asked) -> Change:
    """One night against others."""
    if tonight.count is not None:
        counts = [night.count for night in nights if night.count is not None]
        return against_share_nights(counts, tonight.count, asked, floor=metric.floor)
    return against_nights([night.value for night in nights], tonight.value, asked, floor=metric.floor)


def word_of(change: Change) -> GateWord:
    """What one change would be called alone."""
    return gated([change], "history")[0].word


def _past(context: Context, gate: Gate, reading: Reading, mine: Fingerprint, *, since: datetime | None) -> Past:
    metric, asked = METRICS[gate.metric], asked_of(context, gate)
    most = context.gate.history.nights
    place = (reading.endpoint, reading.kind, reading.task, reading.stage)
    same: list[str] = []
    others, difference = 0, []
    for run in context.earlier:
        if (since is not None and run.began < since) or place not in planned(run.manifest):
            continue
        its = fingerprint(run.manifest, metric, reading)
        if its == mine:
            same.append(run.id)
        else:
            others, difference = others + 1, its.differences(mine)
    same = same[-_LOOKED_AT * most :]
    found = {
        one.run_id: one
        for one in readings(context.results, metric, runs=same, endpoint=reading.endpoint)
        if (one.endpoint, one.kind, one.task, one.stage) == place and one.value is not None
    }
    nights: list[Night] = []
    for run_id in (name for name in same if name in found):
        good = [night.reading for night in nights if night.good][-most:]
        worse = word_of(compare(metric, good, found[run_id], asked)) == "fail"
        nights.append(Night(run_id, found[run_id], not worse))
    return Past(tuple(nights), others, tuple(difference))


def _too_few(context: Context, compared: Compared, past: Past) -> Compared:
    """No baseline yet: how many nights there are, and the command that makes one more."""
    why = f"{len(past.good)} good nights of the same, {FEWEST_NIGHTS} are needed"
    if past.others:
        told = "; ".join(past.difference[:_NAMED])
        why += f"; {past.others} earlier runs were of another ({told})"
    change = compared.change
    return compared._replace(change=_with_reason(change, why), next=context.again())


def _with_reason(change: Change, why: str) -> Change:
    return Change(
        change.asked,
        change.n,
        change.base,
        change.candidate,
        *(None,) * 7,
        method="none",
        why=why,
        dropped=change.dropped,
    )


def _against_pinned(context: Context, gate: Gate, reading: Reading, pinned: str) -> Compared | Case:
    """Questions against the answers that the pinned run got to the same ones."""
    known = readings(context.results, METRICS[gate.metric], runs=[pinned], endpoint=reading.endpoint)
    if not any((one.kind, one.task) == (reading.kind, reading.task) for one in known):
        why = f"baseline {pinned} has no {reading.task} here: bring that run back into the results, or set another"
        again = context.gate_command(f"--set-baseline {context.run} --why WHY --who WHO")
        return unmeasured(gate, reading.endpoint, reading.place, why, verdict="inconclusive", command=again)
    before, after = (Side(run, reading.endpoint) for run in (pinned, context.run))
    return questions(context, gate, reading, before, after)


def refuse_another(context: Context, reading: Reading, mine: Fingerprint) -> None:
    """UsageError when the pinned run was of another endpoint, work or machine, as far as ``mine`` has these."""
    pinned = context.baselines[reading.endpoint]
    known = pinned.work.get(reading.place)
    now = {name: value for name, value in mine.parts if name != "objectives"}
    stored = None if known is None else {name: value for name, value in known.items() if name != "host" or name in now}
    if stored is None or stored == now:
        return
    told = Fingerprint(tuple(stored.items())).differences(Fingerprint(tuple(now.items())))
    raise UsageError(
        f"{context.gate.baseline.name} pins run {pinned.run} for {reading.endpoint}, which was another at "
        f"{reading.place} ({'; '.join(told[:_NAMED])})",
        hint=f"Set a new one: {context.gate_command(f'--set-baseline {context.run} --why WHY --who WHO')}",
    )
