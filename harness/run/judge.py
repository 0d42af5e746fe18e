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
from harness.exchange import OUR_DOING, Completion, Failure, Outcome
from harness.folder import RunFolder, write_atomic
from harness.journal import read_attempts
from harness.run import session
from harness.run.judgements import Judgements
from harness.run.plan import Plan
from harness.run.samples import told
from harness.types import Attempt, Endpoint, JsonObject, Score, Verdict
from harness.wire.assemble import assemble


def judge(folder: RunFolder, plan: Plan, outcomes: Iterable[tuple[Attempt, Outcome]] | None = None) -> Failure | None:
    """Write ``scores.jsonl`` and ``verdicts.jsonl`` of a run from its journals, replacing earlier ones.

    So too ``judgements.jsonl``, where other endpoints judged.

    ``outcomes`` are all its attempts in the order written with what they came to, as ``Sealing.outcomes`` hands them
    out; None: the journals are read here. Of a load no more than the failures is kept in memory.
    Gives what ``barren`` says of the run. TaskError when a scorer fails.
    """
    if outcomes is None:
        outcomes = ((one, assemble(one.exchange, stream=one.request.stream)) for one in read_attempts(folder))
    last: dict[str, Capture] = {}
    load = _Load()
    for attempt, outcome in outcomes:
        if attempt.job.kind == "load":
            load.add(attempt, outcome)
        elif not cancelled(attempt):
            last[attempt.job.id] = Capture(attempt, outcome)
    captures = list(last.values())
    write_verdicts(folder, captures, plan.probes, plan.tested)
    judgements = Judgements(captures, plan) if plan.matters else None
    if judgements is not None:
        write_atomic(folder.judgements_path, _lines(judgements.rows()))
    write_atomic(folder.scores_path, _lines(_scores(captures, plan, judgements)))
    return barren(captures, load.failures())


class _Load:
    """The failures of load attempts, as long as nothing else is there."""

    def __init__(self) -> None:
        self._worked = False
        self._failures: dict[str, Failure] = {}

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        """Note how one ended; loads are not retried, so the attempt that was not cancelled is its job's last."""
        if cancelled(attempt):
            return
        if outcome.failure is None:
            self._worked = True
            self._failures.clear()
        elif not self._worked:
            self._failures[attempt.job.id] = outcome.failure

    def failures(self) -> list[Failure | None]:
        """One for each job where all failed; else one None, for that there was an answer."""
        return [None] if self._worked else [*self._failures.values()]


def barren(captures: Iterable[Capture], load: Iterable[Failure | None] = ()) -> Failure | None:
    """The commonest failure, where all failed and nothing was measured; None: something was, or nothing was asked.

    ``load`` are the failures of load attempts, None for one that worked. What says nothing about the endpoint
    (``OUR_DOING``) is left out.
    """
    captures = list(captures)
    asked = [*load, *(one.outcome.failure for one in captures if one.attempt.job.kind != "probe")]
    failures = [failure for failure in asked if failure is None or failure.kind not in OUR_DOING]
    # Where there were only probes: one may well ask for what must be refused, so any answer tells something.
    failures = failures or [
        one.outcome.failure if one.status is None else None for one in captures if one.attempt.job.kind == "probe"
    ]
    told_of = [failure for failure in failures if failure is not None]
    if not told_of or len(told_of) < len(failures):
        return None
    commonest = Counter(failure.kind for failure in told_of).most_common(1)[0][0]
    return next(failure for failure in told_of if failure.kind == commonest)


def cancelled(attempt: Attempt) -> bool:
    """Whether the run was stopped while it was under way: it is no final attempt, and a resumed run repeats it."""
    return attempt.exchange.failure is not None and attempt.exchange.failure.kind == "cancelled"


def _scores(captures: Iterable[Capture], plan: Plan, judgements: Judgements | None) -> Iterator[JsonObject]:
    """A line for each session of a task, most of which are one request, that came to its end."""
    sessions: dict[str, list[Capture]] = defaultdict(list)
    for capture in captures:
        if capture.attempt.job.kind in ("quality", "tools"):
            sessions[session.first_id(capture.attempt.job)].append(capture)
    for name, turns in sessions.items():
        turns.sort(key=lambda one: one.attempt.job.turn)
        job = turns[0].attempt.job
        said = _said(turns, plan)
        if said is None:
            continue  # a failure has no score: it is counted where failures are counted
        scorer = plan.tasks[job.task].scorer
        with told(f"scorer {scorer.name} of task {job.task} on sample {job.sample}"):
            if scorer.judging is None:
                score = session.score_of(scorer, plan.sample(job), said)
            elif judgements is None or (judged := judgements.score(job, len(said), scorer)) is None:
                continue  # the judging was broken off
            else:
                score = judged
        named = {"job": name, "endpoint": job.endpoint, "task": job.task, "sample": job.sample, "repeat": job.repeat}
        yield named | _score_json(score)


def _said(turns: Sequence[Capture], plan: Plan) -> list[Completion] | None:
    """All answers of a session; None: one of its requests failed, or is still to be sent."""
    said: list[Completion] = []
    for place, capture in enumerate(turns):
        outcome = capture.outcome
        if outcome.failure is not None and outcome.failure.kind == "unneeded":
            return said
        if not outcome.ok or outcome.completion is None or capture.attempt.job.turn != place:
            return None
        said.append(outcome.completion)
    job = turns[-1].attempt.job
    task, sample = plan.tasks[job.task], plan.sample(job)
    whole = len(said) == session.requests_of(task, sample)
    # Where a run was killed right here, nobody has said yet that the rest is not needed.
    return said if whole or plan.over(job, [session.answer(one) for one in said]) else None


def _score_json(score: Score) -> JsonObject:
    """A score as a line of ``scores.jsonl``; what it does without is left out."""
    row = {name: getattr(score, name) for name in ("value", "answer", "explanation", "scorer", "version")}
    if score.fault:
        row["fault"] = score.fault
    if score.details:
        row["details_json"] = json.dumps(dict(score.details), ensure_ascii=True, separators=(",", ":"))
    return row


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
    return b"".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for row in rows)
