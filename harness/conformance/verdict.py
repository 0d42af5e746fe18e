"""From captures to verdicts, with one rule above all: an obstacle on the way is not evidence about the feature.

A refused key, a spent quota, an overloaded server, a timeout or a lost connection never proves that something is
absent, so it makes a probe ``untestable``; only what the endpoint really answered can be called broken or rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.conformance.capture import Capture, Captures, brief
from harness.conformance.outcome import Check, Ignored, Reason, Refused, Untestable, refusal
from harness.conformance.probe import Probe
from harness.conformance.scenario import Scenario
from harness.exchange import FailureKind
from harness.types import Endpoint, Verdict, VerdictWord

_OBSTACLE_STATUSES: Mapping[int, Reason] = {
    401: "auth",
    402: "quota",
    403: "auth",
    407: "auth",
    408: "transient",
    425: "transient",
    429: "transient",
    502: "transient",
    503: "transient",
    504: "transient",
    520: "transient",
    521: "transient",
    522: "transient",
    523: "transient",
    524: "transient",
    529: "transient",
}
_OBSTACLE_FAILURES: Mapping[FailureKind, Reason] = {
    "dns": "transport",
    "connect": "transport",
    "tls": "transport",
    "reset": "transport",
    "truncated": "transport",
    "timeout_connect": "transient",
    "timeout_first_byte": "transient",
    "timeout_idle": "transient",
    "timeout_total": "transient",
    "cancelled": "transport",
    "too_large": "transport",
    "harness": "transport",
}
_BLOCKING: frozenset[VerdictWord] = frozenset({"ignored", "rejected", "broken", "skipped"})
"""Verdicts that make a probe's dependents meaningless; ``untestable`` does not, for they have captures of their own."""


def judge_all(probes: Sequence[Probe], captures: Captures, endpoint: Endpoint) -> list[Verdict]:
    """One verdict for each probe, in their order; pure, so that old captures can be judged again.

    A probe that another one needs is judged first. A prerequisite that is not among ``probes`` blocks nothing.
    """
    known = {probe.id: probe for probe in probes}
    done: dict[str, Verdict] = {}

    def settle(probe: Probe, waiting: frozenset[str]) -> Verdict:
        if probe.id in done:
            return done[probe.id]
        for need in probe.needs:
            # A cycle of needs is a mistake in the probes; nobody then waits for anybody.
            if need in known and need not in waiting:
                first = settle(known[need], waiting | {probe.id})
                if first.verdict in _BLOCKING:
                    done[probe.id] = Verdict(probe.id, probe.rev, "skipped", f"blocked by {need} ({first.verdict})")
                    return done[probe.id]
        done[probe.id] = _judge(probe, captures, endpoint)
        return done[probe.id]

    return [settle(probe, frozenset()) for probe in probes]


def _judge(probe: Probe, captures: Captures, endpoint: Endpoint) -> Verdict:
    evidence = tuple(capture.job_id for scenario in probe.sees for capture in captures.get(scenario.name, ()))
    found = _weigh(probe, captures, endpoint)
    return found._replace(evidence=evidence).of(probe)


class _Finding(NamedTuple):
    """A verdict before it is signed."""

    verdict: VerdictWord
    reason: str
    expected: str = ""
    actual: str = ""
    evidence: tuple[str, ...] = ()

    def of(self, probe: Probe) -> Verdict:
        """The verdict of a probe."""
        return Verdict(probe.id, probe.rev, self.verdict, brief(self.reason, 200), *self[2:])


def _weigh(probe: Probe, captures: Captures, endpoint: Endpoint) -> _Finding:
    usable: dict[str, Sequence[Capture]] = {}
    for scenario in probe.sees:
        taken = captures.get(scenario.name, ())
        if not taken:
            return _Finding("skipped", f"{scenario.name} was not sent")
        clear = [capture for capture in taken if obstacle(capture, scenario) is None]
        if not clear:
            return _Finding("untestable", obstacle(taken[-1], scenario) or "")
        usable[scenario.name] = clear
    return _conclude(probe, usable, endpoint)


def _conclude(probe: Probe, usable: Captures, endpoint: Endpoint) -> _Finding:
    passed, missed = 0, list[Check]()
    try:
        for each in probe.judge(usable, endpoint):
            if each.ok:
                passed += 1
            elif each.must:
                return _Finding("broken", each.name, each.expected, each.actual)
            else:
                missed.append(each)
    except Refused as outcome:
        return _Finding("rejected", "the endpoint says no", "", outcome.actual)
    except Ignored as outcome:
        return _Finding("ignored", str(outcome), outcome.expected, outcome.actual)
    except Untestable as outcome:
        return _Finding("untestable", str(outcome))
    except Exception as error:  # noqa: BLE001 - one faulty probe must not cost the verdicts of all others
        return _Finding("untestable", f"probe: its judge failed with {type(error).__name__}: {error}")
    if missed:
        return _Finding("partial", ", ".join(each.name for each in missed), missed[0].expected, missed[0].actual)
    return _Finding("supported", f"{passed} checks hold" if passed != 1 else "1 check holds")


def obstacle(capture: Capture, scenario: Scenario) -> str | None:
    """Why a capture says nothing about the feature, as ``code: detail``; None: it does say something."""
    failure = capture.attempt.exchange.failure
    if failure is not None and failure.kind in _OBSTACLE_FAILURES:
        return f"{_OBSTACLE_FAILURES[failure.kind]}: {failure.detail or failure.kind}"
    status = capture.status
    if status is None:
        return f"transport: {failure.detail if failure else 'no response'}"
    if status in _OBSTACLE_STATUSES and status not in scenario.answers:
        return f"{_OBSTACLE_STATUSES[status]}: {refusal(capture)}"
    return None
