"""What the probes look at a second time: one sample that accuses an endpoint may be chance."""

from __future__ import annotations

from dataclasses import replace

from harness.conformance.capture import Capture
from harness.conformance.scenario import Scenario, scenarios_of
from harness.record.folder import RunFolder
from harness.record.journal import read_attempts
from harness.run.planning.plan import Plan
from harness.run.scoring.judge import cancelled, verdicts
from harness.run.selecting.selection import Again
from harness.run.stored import Replan, lengthen
from harness.types import VerdictWord
from harness.wire.assemble import assemble

_UNSURE: frozenset[VerdictWord] = frozenset({"broken", "ignored", "partial", "rejected", "untestable"})
_BY_CHANCE = frozenset({"F", "E"})
"""Abilities of which another sample may say something else; what any output shows (W) needs no second one."""


def second_looks(folder: RunFolder, plan: Plan, again: Replan) -> Plan | None:
    """The plan with more samples of what accuses an endpoint; None: nothing does, or it was looked at already."""
    if not plan.probes or plan.selection.again:
        return None
    by_id = {probe.id: probe for probe in plan.probes}
    attempts = (one for one in read_attempts(folder) if one.job.kind == "probe" and not cancelled(one))
    last = {one.job.id: Capture(one, assemble(one.exchange, stream=one.request.stream)) for one in attempts}
    wanted: dict[Again, None] = {}
    for endpoint, verdict in verdicts(last.values(), plan.probes, plan.tested):
        probe = by_id[verdict.probe]
        if probe.ability not in _BY_CHANCE or probe.over != "each" or verdict.verdict not in _UNSURE:
            continue
        if verdict.verdict == "untestable" and not verdict.reason.startswith("model"):
            continue
        sees = [scenario for scenario in scenarios_of([probe]) if scenario.surface != "gauge"]
        if all(map(_repeatable, sees)):
            wanted.update((Again(endpoint, scenario.name), None) for scenario in sees)
    if not wanted:
        return None
    return lengthen(folder, replace(plan.selection, again=tuple(wanted)), again)


def _repeatable(scenario: Scenario) -> bool:
    return scenario.repeats == 1 and not scenario.together
