"""From journal to judgement: scores and verdicts, made off the hot path and as often as one likes.

Scorers and probes are pure functions of what was recorded, so a newer scorer can judge an old run without paying
for it again.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from harness.conformance.capture import Capture
from harness.conformance.probe import Probe
from harness.conformance.verdict import judge_all
from harness.exchange import OUR_DOING, Failure, Outcome
from harness.provider import Endpoint
from harness.record import versions
from harness.record.folder import RunFolder, write_atomic
from harness.record.journal import read_attempts
from harness.run.planning.plan import Plan
from harness.run.scoring.judgements import Judgements
from harness.run.scoring.scoring import Scoring, Watch, unwatched
from harness.types import Attempt, JsonObject, Verdict
from harness.wire.understand import understand


def judge(
    folder: RunFolder,
    plan: Plan,
    outcomes: Iterable[tuple[Attempt, Outcome]] | None = None,
    watch: Watch = unwatched,
) -> Failure | None:
    """Write ``scores.jsonl`` and ``verdicts.jsonl`` of a run from its journals, replacing earlier ones.

    So too ``judgements.jsonl``, where other endpoints judged.

    ``outcomes`` are all its attempts in the order written with what they came to, as ``Sealing.outcomes`` hands them
    out; None: the journals are read here. Of a load no more than the failures is kept in memory, and of an answer that
    can be scored at once no more than its score.
    Gives what ``barren`` says of the run. ``watch`` hears how many of the other answers are scored. TaskError when a
    scorer fails.
    """
    if outcomes is None:
        outcomes = ((one, understand(one)) for one in read_attempts(folder))
    probed: dict[str, Capture] = {}
    judges: dict[str, Capture] = {}
    scoring, failed = Scoring(plan), _Failed()
    for attempt, outcome in outcomes:
        if cancelled(attempt):
            continue
        kind = attempt.job.kind
        if kind == "probe":
            probed[attempt.job.id] = Capture(attempt, outcome)
            continue
        failed.add(attempt, outcome)
        if kind == "judge":
            judges[attempt.job.id] = Capture(attempt, outcome)
        elif kind != "load":
            scoring.add(Capture(attempt, outcome))
    write_verdicts(folder, probed.values(), plan.probes, plan.tested)
    judgements = Judgements([*scoring.kept, *judges.values()], plan) if plan.matters else None
    if judgements is not None:
        write_atomic(folder.judgements_path, _lines(judgements.rows()))
    write_atomic(folder.scores_path, b"".join(scoring.lines(judgements, watch)))
    return barren(probed.values(), failed.failures())


class _Failed:
    """The last failure of each job, as long as no job did better."""

    def __init__(self) -> None:
        self._worked = False
        self._failures: dict[str, Failure] = {}

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        """Note how an attempt ended that was not cancelled."""
        if outcome.failure is None:
            self._worked = True
            self._failures.clear()
        elif not self._worked:
            self._failures[attempt.job.id] = outcome.failure

    def failures(self) -> list[Failure | None]:
        """One for each job where all failed; else one None, for that there was an answer."""
        return [None] if self._worked else [*self._failures.values()]


def barren(probed: Iterable[Capture], asked: Iterable[Failure | None]) -> Failure | None:
    """The commonest failure, where all failed and nothing was measured; None: something was, or nothing was asked.

    ``asked`` are the failures of all jobs but probes, None for one that worked. What says nothing about the endpoint
    (``OUR_DOING``) is left out.
    """
    failures = [failure for failure in asked if failure is None or failure.kind not in OUR_DOING]
    # Where there were only probes: one may well ask for what must be refused, so any answer tells something.
    failures = failures or [one.outcome.failure if one.status is None else None for one in probed]
    told_of = [failure for failure in failures if failure is not None]
    if not told_of or len(told_of) < len(failures):
        return None
    commonest = Counter(failure.kind for failure in told_of).most_common(1)[0][0]
    return next(failure for failure in told_of if failure.kind == commonest)


def cancelled(attempt: Attempt) -> bool:
    """Whether the run was stopped while it was under way: it is no final attempt, and a resumed run repeats it."""
    return attempt.exchange.failure is not None and attempt.exchange.failure.kind == "cancelled"


def verdicts(
    captures: Iterable[Capture], probes: Sequence[Probe], endpoints: Mapping[str, Endpoint]
) -> Iterator[tuple[str, Verdict]]:
    """The verdict of each probe on each endpoint, with the endpoint's id before it."""
    if not probes:
        return
    seen: dict[str, dict[str, list[Capture]]] = defaultdict(lambda: defaultdict(list))
    # Repeats that are sent at once may end in any order.
    for capture in sorted(captures, key=lambda one: one.attempt.job.repeat):
        job = capture.attempt.job
        if job.kind == "probe":
            seen[job.endpoint][job.sample].append(capture)
    for name, endpoint in endpoints.items():
        yield from ((name, verdict) for verdict in judge_all(probes, seen[name], endpoint))


def write_verdicts(
    folder: RunFolder, captures: Iterable[Capture], probes: Sequence[Probe], endpoints: Mapping[str, Endpoint]
) -> None:
    """Write ``verdicts.jsonl`` of a run, replacing an earlier one."""
    write_atomic(folder.verdicts_path, _lines(_verdicts(captures, probes, endpoints)))


def _verdicts(
    captures: Iterable[Capture], probes: Sequence[Probe], endpoints: Mapping[str, Endpoint]
) -> Iterator[JsonObject]:
    by_id = {probe.id: probe for probe in probes}
    for endpoint, verdict in verdicts(captures, probes, endpoints):
        probe = by_id[verdict.probe]
        about = {"surface": probe.surface, "severity": probe.severity, "title": probe.title}
        yield {"endpoint": endpoint} | asdict(verdict) | about


def _lines(rows: Iterable[JsonObject]) -> bytes:
    return b"".join(
        json.dumps({"v": versions.VERSION, **row}, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        for row in rows
    )
