"""Scores of answers, each by the scorer of its task: as they come, or when all there is to know has come.

An answer that alone decides its sample is scored and let go at once, so that a run of a hundred thousand answers does
not stay in memory. Sessions, and answers that other endpoints judge, wait until the end; scorers that wait for a
process of their own are then run several at once.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from math import isfinite
from typing import NamedTuple

import orjson

from harness.conformance.capture import Capture
from harness.exchange import Completion
from harness.record import versions
from harness.run import session
from harness.run.planning.plan import Plan
from harness.run.planning.samples import told
from harness.run.scoring.judgements import Judgements
from harness.types import Job, JsonObject, Sample, Score, Task

Watch = Callable[[int, int], None]
"""Told after each answer how many are judged, and of how many; on the thread that judges."""


def unwatched(done: int, of: int) -> None:
    """Tell nobody."""


class Answered(NamedTuple):
    """All answers of one session, in their order; most sessions are one request."""

    task: Task
    sample: Sample
    said: Sequence[Completion]


class Scoring:
    """The scores of one run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._scored: dict[str, bytes] = {}
        """Lines of answers that were scored as they came, by the id of their job."""
        self._kept: dict[str, Capture] = {}
        """The last attempt of each other job, by its id."""

    def add(self, capture: Capture) -> None:
        """Take in an attempt of a quality or tool task that was not cancelled; a later one of its job counts."""
        job, outcome = capture.attempt.job, capture.outcome
        task, sample = self._plan.tasks[job.task], self._plan.sample(job)
        if not self._alone(task, sample):
            self._kept[job.id] = capture
        # A failure has no score: it is counted where failures are counted.
        elif outcome.ok and outcome.completion is not None:
            self._scored[job.id] = _line(job, sample, _score(Answered(task, sample, [outcome.completion])))

    def _alone(self, task: Task, sample: Sample) -> bool:
        """Whether one answer decides a sample, and nobody else has to be asked or waited for."""
        scorer = task.scorer
        apart = scorer.waits or scorer.judging is not None or bool(self._plan.matters)
        return not apart and session.requests_of(task, sample) == 1

    @property
    def kept(self) -> list[Capture]:
        """What was kept, in the order in which its jobs came."""
        return list(self._kept.values())

    def lines(self, judgements: Judgements | None, watch: Watch = unwatched) -> Iterator[bytes]:
        """A line of ``scores.jsonl`` for each session that came to its end.

        TaskError when a scorer fails. Broken off, it begins no further answer and waits for those under way.
        """
        yield from self._scored.values()
        waiting: list[tuple[Job, Answered]] = []
        for job, one in self._sessions():
            if one.task.scorer.judging is None:
                waiting.append((job, one))
            elif judgements and (judged := judgements.score(job, len(one.said), one.task.scorer)) is not None:
                yield _line(job, one.sample, judged)
        for (job, one), score in zip(waiting, scores([one for _, one in waiting], watch), strict=True):
            yield _line(job, one.sample, score)

    def _sessions(self) -> Iterator[tuple[Job, Answered]]:
        """The first job of each session that came to its end, with its answers."""
        turns: dict[str, list[Capture]] = defaultdict(list)
        for capture in self._kept.values():
            turns[session.first_id(capture.attempt.job)].append(capture)
        for captures in turns.values():
            captures.sort(key=lambda one: one.attempt.job.turn)
            first = captures[0].attempt.job
            said = self._said(captures)
            if said is not None:
                yield first, Answered(self._plan.tasks[first.task], self._plan.sample(first), said)

    def _said(self, captures: Sequence[Capture]) -> list[Completion] | None:
        """All answers of a session; None: one of its requests failed, or is still to be sent."""
        said: list[Completion] = []
        for place, capture in enumerate(captures):
            outcome = capture.outcome
            if outcome.failure is not None and outcome.failure.kind == "unneeded":
                return said
            if not outcome.ok or outcome.completion is None or capture.attempt.job.turn != place:
                return None
            said.append(outcome.completion)
        job = captures[-1].attempt.job
        whole = len(said) == session.requests_of(self._plan.tasks[job.task], self._plan.sample(job))
        # Where a run was killed right here, nobody has said yet that the rest is not needed.
        return said if whole or self._plan.over(job, [session.answer(one) for one in said]) else None


def scores(sessions: Sequence[Answered], watch: Watch = unwatched) -> Iterator[Score]:
    """The score of each session, in their order.

    Where a scorer ``waits``, threads wait on as many processes as this process has cores.
    """
    with ExitStack() as stack:
        pool: ThreadPoolExecutor | None = None
        begun: dict[int, Future[Score]] = {}
        for place, one in enumerate(sessions):
            if one.task.scorer.waits:
                pool = pool or _pool(stack)
                begun[place] = pool.submit(_score, one)
        for place, one in enumerate(sessions):
            yield begun.pop(place).result() if place in begun else _score(one)
            watch(place + 1, len(sessions))


def _pool(stack: ExitStack) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    stack.callback(pool.shutdown, cancel_futures=True)
    return pool


def _score(one: Answered) -> Score:
    scorer = one.task.scorer
    with told(f"scorer {scorer.name} of task {one.task.name} on sample {one.sample.id}"):
        return scorer.of_session(one.sample, one.said)


def _line(job: Job, sample: Sample, score: Score) -> bytes:
    """A score as a line of ``scores.jsonl``; what it does without is left out."""
    row: JsonObject = {
        "v": versions.VERSION,
        "job": job.id,
        "endpoint": job.endpoint,
        "task": job.task,
        "sample": job.sample,
        "repeat": job.repeat,
    }
    row |= {name: getattr(score, name) for name in ("value", "answer", "explanation", "scorer", "version")}
    if (cluster := sample.metadata.get("cluster")) is not None:
        row["cluster"] = str(cluster)
    if score.fault:
        row["fault"] = score.fault
    if score.details:
        row["details_json"] = json.dumps(dict(score.details), ensure_ascii=True, separators=(",", ":"))
    if score.value is None or isfinite(score.value):
        try:
            return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        except orjson.JSONEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
            pass
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
