"""From journal to judgement: scores and verdicts, made off the hot path and as often as one likes.

Scorers and probes are pure functions of what was recorded, so a newer scorer can judge an old run without paying
for it again.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from harness.conformance.capture import Capture
from harness.conformance.verdict import judge_all
from harness.folder import RunFolder, write_atomic
from harness.journal import read_attempts
from harness.run.plan import Plan, told
from harness.types import Attempt, Failure, JsonObject
from harness.wire.assemble import assemble


def judge(folder: RunFolder, plan: Plan) -> Failure | None:
    """Write ``scores.jsonl`` and ``verdicts.jsonl`` of a run from its journals, replacing earlier ones.

    Gives what ``barren`` says of the run. TaskError when a scorer fails.
    """
    last = [
        Capture(attempt, assemble(attempt.exchange, stream=attempt.request.stream))
        for attempt in last_attempts(read_attempts(folder))
    ]
    write_atomic(folder.verdicts_path, _lines(_verdicts(last, plan)))
    write_atomic(folder.scores_path, _lines(_scores(last, plan)))
    return barren(last)


def barren(captures: Iterable[Capture]) -> Failure | None:
    """The commonest failure, where all failed and nothing was measured; None: something was, or nothing was asked."""
    captures = list(captures)
    failures = [one.outcome.failure for one in captures if one.attempt.job.kind != "probe"]
    # Where there were only probes: one may well ask for what must be refused, so any answer tells something.
    failures = failures or [one.outcome.failure if one.status is None else None for one in captures]
    told_of = [failure for failure in failures if failure is not None]
    if not told_of or len(told_of) < len(failures):
        return None
    commonest = Counter(failure.kind for failure in told_of).most_common(1)[0][0]
    return next(failure for failure in told_of if failure.kind == commonest)


def last_attempts(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The attempt that counts for each job: its last one that was not cancelled."""
    by_job: dict[str, Attempt] = {}
    for attempt in attempts:
        if not cancelled(attempt):
            by_job[attempt.job.id] = attempt
    return list(by_job.values())


def cancelled(attempt: Attempt) -> bool:
    """Whether we broke it off ourselves, so that it says nothing about the endpoint."""
    return attempt.exchange.failure is not None and attempt.exchange.failure.kind == "cancelled"


def _scores(captures: Iterable[Capture], plan: Plan) -> Iterator[JsonObject]:
    for capture in captures:
        job, outcome = capture.attempt.job, capture.outcome
        if job.kind not in ("quality", "tools"):
            continue
        if not outcome.ok or outcome.completion is None:
            continue  # a failure has no score: it is counted where failures are counted
        scorer = plan.tasks[job.task].scorer
        with told(f"scorer {scorer.name} of task {job.task} on sample {job.sample}"):
            score = scorer.score(plan.sample(job), outcome.completion)
        named = {"job": job.id, "endpoint": job.endpoint, "task": job.task, "sample": job.sample, "repeat": job.repeat}
        yield named | asdict(score)


def _verdicts(captures: Iterable[Capture], plan: Plan) -> Iterator[JsonObject]:
    seen: dict[str, dict[str, list[Capture]]] = defaultdict(lambda: defaultdict(list))
    for capture in captures:
        job = capture.attempt.job
        if job.kind == "probe":
            seen[job.endpoint][job.sample].append(capture)
    by_id = {probe.id: probe for probe in plan.probes}
    for name, endpoint in plan.endpoints.items():
        if not plan.probes:
            return
        for verdict in judge_all(plan.probes, seen[name], endpoint):
            probe = by_id[verdict.probe]
            about = {"surface": probe.surface, "severity": probe.severity, "title": probe.title}
            yield {"endpoint": name} | asdict(verdict) | about


def _lines(rows: Iterable[JsonObject]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for row in rows)
