"""From captures to verdicts, with one rule above all: an obstacle on the way is not evidence about the feature.

A refused key, a spent quota, an overloaded server, a timeout or a lost connection never proves that something is
absent, so it makes a probe ``untestable``; only what the endpoint really answered can be called broken or rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.conformance.capture import Capture, Captures, Seen, brief
from harness.conformance.gauge import ENOUGH, GAUGE, cooperation
from harness.conformance.outcome import Check, Ignored, NotApplicable, Reason, Refused, Untestable, refusal
from harness.conformance.probe import Probe
from harness.conformance.scenario import Scenario
from harness.exchange import FailureKind
from harness.provider import Endpoint
from harness.types import Verdict, VerdictWord

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
    "unasked": "evidence",
    "unneeded": "evidence",
    "too_large": "transport",
    "harness": "transport",
}
_BLOCKING: frozenset[VerdictWord] = frozenset({"ignored", "rejected", "broken", "skipped"})
"""Verdicts that make a probe's dependents meaningless; ``untestable`` does not, for they have captures of their own."""
_GRAVITY: tuple[VerdictWord, ...] = ("untestable", "skipped", "supported", "partial", "rejected", "ignored", "broken")
_MOST_EVIDENCE = 20
"""Captures that a verdict names."""


def judge_all(probes: Sequence[Probe], captures: Captures, endpoint: Endpoint) -> list[Verdict]:
    """One verdict for each probe, in their order; pure, so that old captures can be judged again.

    A probe that another one needs is judged first. A prerequisite that is not among ``probes`` blocks nothing.
    """
    known = {probe.id: probe for probe in probes}
    scenarios = {scenario.name: scenario for probe in probes for scenario in probe.sees}
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
        done[probe.id] = _judge(probe, captures, endpoint, scenarios)
        return done[probe.id]

    return [settle(probe, frozenset()) for probe in probes]


class _Finding(NamedTuple):
    """A verdict before it is signed."""

    verdict: VerdictWord
    reason: str
    expected: str = ""
    actual: str = ""
    job: str = ""
    """The capture that shows it; empty: any."""
    agree: int = 1
    samples: int = 1


def _judge(probe: Probe, captures: Captures, endpoint: Endpoint, scenarios: Mapping[str, Scenario]) -> Verdict:
    if probe.over == "run":
        seen = tuple(capture for taken in captures.values() for capture in taken)
        found = _over_run(probe, captures, endpoint, scenarios)
        evidence = [found.job] if found.job else [capture.job_id for capture in seen[:1]]
    else:
        found = _weigh(probe, captures, endpoint)
        own = [scenario for scenario in probe.sees if scenario not in GAUGE]
        jobs = [capture.job_id for scenario in own for capture in captures.get(scenario.name, ())]
        evidence = sorted(jobs, key=lambda job: job != found.job)
    return Verdict(
        probe.id,
        probe.rev,
        found.verdict,
        brief(found.reason, 200),
        found.expected,
        found.actual,
        tuple(evidence[:_MOST_EVIDENCE]),
        found.agree,
        found.samples,
    )


def _over_run(probe: Probe, captures: Captures, endpoint: Endpoint, scenarios: Mapping[str, Scenario]) -> _Finding:
    """Judge everything that the run sent and that was answered."""
    clear = {
        name: [capture for capture in taken if obstacle(capture, scenarios.get(name), probe.answers) is None]
        for name, taken in captures.items()
    }
    clear = {name: taken for name, taken in clear.items() if taken}
    if not clear:
        first = next((capture for taken in captures.values() for capture in taken), None)
        if first is None:
            return _Finding("skipped", "nothing was sent")
        return _Finding("untestable", obstacle(first, scenarios.get(first.scenario)) or "")
    return _conclude(probe, clear, endpoint)


def _weigh(probe: Probe, captures: Captures, endpoint: Endpoint) -> _Finding:
    usable: dict[str, Sequence[Capture]] = {}
    for scenario in probe.sees:
        taken = captures.get(scenario.name, ())
        if not taken:
            if scenario in GAUGE:
                continue
            return _Finding("skipped", f"{scenario.name} was not sent")
        clear = [capture for capture in taken if obstacle(capture, scenario, probe.answers) is None]
        if not clear and scenario not in GAUGE:
            return _Finding("untestable", obstacle(taken[-1], scenario) or "")
        usable[scenario.name] = clear
    if probe.over == "all":
        return _conclude(probe, usable, endpoint)
    own = [scenario.name for scenario in probe.sees if scenario not in GAUGE]
    repeats = max(len(usable[name]) for name in own)
    findings = [
        _conclude(probe, {name: [usable[name][min(number, len(usable[name]) - 1)]] for name in own}, endpoint)
        for number in range(repeats)
    ]
    return _elicited(findings, cooperation(usable)) if probe.ability == "E" else _majority(findings)


def _majority(findings: Sequence[_Finding]) -> _Finding:
    """What most samples say; of words that are said equally often, the gravest."""
    said = Counter(finding.verdict for finding in findings)
    return _counted(findings, max(said, key=lambda word: (said[word], _GRAVITY.index(word))))


def _elicited(findings: Sequence[_Finding], cooperates: int | None) -> _Finding:
    """What the samples say of a feature that the model has to want.

    One good sample shows that the endpoint can; a malformed one that it cannot. Where there is neither, a model that
    fails at trivial tasks says nothing about its server.
    """
    words = [finding.verdict for finding in findings]
    for word in ("broken", "supported", "partial", "rejected"):
        if word in words:
            return _counted(findings, word)
    able = cooperates is None or cooperates >= ENOUGH
    found = _counted(findings, "ignored" if "ignored" in words and able else words[0])
    if found.verdict != "ignored":
        return found
    if able:
        return found
    why = f"model: it does {cooperates} of {len(GAUGE)} trivial tasks; {found.reason}"
    return found._replace(verdict="untestable", reason=why)


def _counted(findings: Sequence[_Finding], word: VerdictWord) -> _Finding:
    """The first finding of that word, with how many agree."""
    agreeing = [finding for finding in findings if finding.verdict == word]
    found = agreeing[0]
    if len(agreeing) < len(findings):
        found = found._replace(reason=f"{len(agreeing)} of {len(findings)}: {found.reason}")
    return found._replace(agree=len(agreeing), samples=len(findings))


def _conclude(probe: Probe, usable: Captures, endpoint: Endpoint) -> _Finding:
    passed, missed = 0, list[Check]()
    try:
        for each in probe.judge(Seen(usable, endpoint)):
            if each.ok:
                passed += 1
            elif each.must:
                return _Finding("broken", each.name, each.expected, each.actual, each.job)
            else:
                missed.append(each)
    except Refused as outcome:
        return _Finding("rejected", "the endpoint says no", "", outcome.actual, outcome.job)
    except Ignored as outcome:
        return _Finding("ignored", str(outcome), outcome.expected, outcome.actual, outcome.job)
    except NotApplicable as outcome:
        return _Finding("skipped", f"not applicable: {outcome}")
    except Untestable as outcome:
        return _Finding("untestable", str(outcome))
    except Exception as error:  # noqa: BLE001 - one faulty probe must not cost the verdicts of all others
        return _Finding("untestable", f"probe: its judge failed with {type(error).__name__}: {error}")
    if missed:
        first = missed[0]
        reason = ", ".join(dict.fromkeys(each.name for each in missed))
        return _Finding("partial", reason, first.expected, first.actual, first.job)
    return _Finding("supported", f"{passed} checks hold" if passed != 1 else "1 check holds")


def obstacle(capture: Capture, scenario: Scenario | None, answers: frozenset[FailureKind] = frozenset()) -> str | None:
    """Why a capture says nothing about the feature, as ``code: detail``; None: it does say something.

    ``answers`` are the failures that the probe wants to see.
    """
    failure = capture.attempt.exchange.failure
    if failure is not None and failure.kind in answers:
        return None
    # What becomes of the connection after [DONE] takes nothing from the answer.
    if failure is not None and failure.kind in _OBSTACLE_FAILURES and capture.done_ns is None:
        return f"{_OBSTACLE_FAILURES[failure.kind]}: {failure.detail or failure.kind}"
    status = capture.status
    if status is None:
        return f"transport: {failure.detail if failure else 'no response'}"
    if status in _OBSTACLE_STATUSES and (scenario is None or status not in scenario.answers):
        return f"{_OBSTACLE_STATUSES[status]}: {refusal(capture)}"
    return None
