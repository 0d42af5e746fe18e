"""From journal to judgement: scores and verdicts, made off the hot path and as often as one likes.

Scorers and probes are pure functions of what was recorded, so a newer scorer can judge an old run without paying
for it again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from harness.conformance.capture import Capture
from harness.conformance.verdict import judge_all
from harness.folder import RunFolder, write_atomic
from harness.journal import read_attempts
from harness.run.plan import Plan
from harness.types import Attempt, JsonObject, Outcome
from harness.wire.assemble import assemble


def judge(folder: RunFolder, plan: Plan) -> None:
    """Write ``scores.jsonl`` and ``verdicts.jsonl`` of a run from its journals, replacing earlier ones."""
    last = last_attempts(read_attempts(folder))
    write_atomic(folder.scores_path, _lines(_scores(last, plan)))
    write_atomic(folder.verdicts_path, _lines(_verdicts(last, plan)))


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


def _scores(attempts: Iterable[Attempt], plan: Plan) -> Iterator[JsonObject]:
    for attempt in attempts:
        job = attempt.job
        if job.kind not in ("quality", "tools"):
            continue
        outcome = assemble(attempt.exchange, stream=attempt.request.stream)
        if not outcome.ok or outcome.completion is None:
            continue  # a failure has no score: it is counted where failures are counted
        score = plan.tasks[job.task].scorer.score(plan.sample(job), outcome.completion)
        named = {"job": job.id, "endpoint": job.endpoint, "task": job.task, "sample": job.sample, "repeat": job.repeat}
        yield named | asdict(score)


def _verdicts(attempts: Iterable[Attempt], plan: Plan) -> Iterator[JsonObject]:
    captures: dict[str, dict[str, list[Capture]]] = defaultdict(lambda: defaultdict(list))
    for attempt in attempts:
        if attempt.job.kind == "probe":
            captures[attempt.job.endpoint][attempt.job.sample].append(Capture(attempt, _outcome(attempt)))
    by_id = {probe.id: probe for probe in plan.probes}
    for name, endpoint in plan.endpoints.items():
        if not plan.probes:
            return
        for verdict in judge_all(plan.probes, captures[name], endpoint):
            probe = by_id[verdict.probe]
            about = {"surface": probe.surface, "severity": probe.severity, "title": probe.title}
            yield {"endpoint": name} | asdict(verdict) | about


def _outcome(attempt: Attempt) -> Outcome:
    return assemble(attempt.exchange, stream=attempt.request.stream)


def _lines(rows: Iterable[JsonObject]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for row in rows)
