"""What acceptances make of cases: a result that was accepted passes, and one whose acceptance has expired fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date

from harness.gates.acceptances import Acceptance
from harness.gates.judgement import Case
from harness.gates.quantity import SHARES
from harness.report.nights.metrics import METRICS


def accept(case: Case, granted: Sequence[Acceptance], today: date) -> Case:
    """The case under the acceptances.

    One that has expired fails, whatever was measured, until somebody renews it or takes it away: otherwise nobody
    would know that it is over.
    """
    own = [one for one in granted if case.kind in ("limit", "margin") and _covers(one, case)]
    if not own or case.verdict == "error":
        return case
    holding = [one for one in own if not one.expired(today)]
    if not holding:
        one = own[-1]
        return replace(case, verdict="fail", reason=f"expired: {one.text}", accepted=asdict(one), unconfirmed=False)
    if case.verdict != "fail" and not case.unconfirmed:
        return case
    one = holding[-1]
    seen = _worsening(case)
    if one.most is not None and (seen is None or seen > one.most):
        return replace(case, reason=f"{case.reason}; worse than the {one.up_to} {one.text}")
    return replace(
        case, verdict="pass", reason=f"{case.reason}; {one.text}", accepted=asdict(one), unconfirmed=False, next=""
    )


def unused(granted: Sequence[Acceptance], cases: Sequence[Case], today: date) -> Iterator[str]:
    """What is to be said of acceptances: those that end soon, and those that are about nothing."""
    for one in granted:
        covered = [case for case in cases if case.kind in ("limit", "margin") and _covers(one, case)]
        if not covered:
            yield f"the acceptance of {_name(one)} is about nothing that this gate tests"
        elif one.ends_soon(today):
            yield f"the acceptance of {_name(one)} ends on {one.until}: {one.why} ({one.who})"
        elif not one.expired(today) and all(case.accepted is None and case.verdict == "pass" for case in covered):
            yield f"the acceptance of {_name(one)} is no longer needed: it passes without"


def _covers(one: Acceptance, case: Case) -> bool:
    return one.covers(case.metric, case.endpoint, case.workload)


def _worsening(case: Case) -> float | None:
    """How much worse, in the unit of a margin; of a fixed limit how far beyond it."""
    if case.kind == "margin":
        return case.change
    if case.value is None or case.limit is None:
        return None
    metric = METRICS[case.metric]
    off = case.value - case.limit if metric.better == "lower" else case.limit - case.value
    if metric.unit in SHARES:
        return off
    return off / case.limit if case.limit else None


def _name(one: Acceptance) -> str:
    return " ".join(part for part in (one.metric, one.endpoint, one.workload) if part)
