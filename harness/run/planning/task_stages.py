"""Tasks on their endpoints as stages: each once through, or alone and under a load by turns."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.errors import UsageError
from harness.provider import Endpoint
from harness.run import session
from harness.run.arrivals import Closed, Law, law_from_json, offsets_ns
from harness.run.planning.stages import Stage, job_of
from harness.run.selecting.selection import Selection
from harness.types import Job, Sample, Task

Samples = Mapping[str, Sequence[Sample]]


def task_stages(
    tasks: Mapping[str, Task], samples: Samples, endpoints: Mapping[str, Endpoint], selection: Selection
) -> Iterator[Stage]:
    """The stages of all tasks: one each, or those of ``busy``. UsageError where a judged task is asked under a load."""
    if selection.busy is None:
        yield from (_stage(task, samples[name], endpoints, selection) for name, task in tasks.items())
    else:
        if judged := next((name for name, task in tasks.items() if task.scorer.judging is not None), None):
            raise UsageError(f"{judged} is judged by a model, and is not asked under load", hint="Leave it out")
        yield from _by_turns(tasks, samples, endpoints, selection, law_from_json(selection.busy.law))


def _stage(task: Task, samples: Sequence[Sample], endpoints: Mapping[str, Endpoint], selection: Selection) -> Stage:
    stage = f"{task.kind}.{task.name}"
    most = max(selection.repeats_of(task.name, endpoint) for endpoint in endpoints)
    order = [(sample.id, repeat) for repeat in range(most) for sample in samples]
    random.Random(f"{selection.seed}/{stage}").shuffle(order)  # noqa: S311 - a reproducible order, not a secret
    turns = {sample.id: session.requests_of(task, sample) for sample in samples}
    lanes = tuple(
        tuple(
            job
            for sample, repeat in order
            if repeat < selection.repeats_of(task.name, endpoint)
            for job in _session(job_of(stage, endpoint, task.kind, task.name, sample, repeat), turns[sample])
        )
        for endpoint in endpoints
    )
    return Stage(stage, task.kind, Closed(selection.concurrency), lanes, together=True)


def _by_turns(
    tasks: Mapping[str, Task], samples: Samples, endpoints: Mapping[str, Endpoint], selection: Selection, law: Law
) -> Iterator[Stage]:
    """All questions of all tasks alone and under the law, in one order; A B, B A, so that drift falls on both.

    The tasks share a stage: of each there may be fewer questions than the load is to have under way. Endpoints go one
    after the other, for one that is asked alone must have nobody beside it on its machine.
    """
    asked = [(task, sample) for name, task in tasks.items() for sample in samples[name]]
    random.Random(f"{selection.seed}/busy").shuffle(asked)  # noqa: S311 - as above
    for block in range(selection.repeats // 2):
        for busy in (False, True) if block % 2 == 0 else (True, False):
            its_law = law if busy else Closed(1)
            name = f"{'busy' if busy else 'alone'}@{its_law.label}#{block + 1}"
            due = itertools.repeat(None) if isinstance(its_law, Closed) else offsets_ns(its_law, selection.seed)
            times = list(itertools.islice(due, len(asked)))
            lanes = tuple(
                tuple(
                    job
                    for (task, sample), at in zip(asked, times, strict=True)
                    for job in _session(
                        replace(
                            job_of(f"{name}/{task.name}", endpoint, task.kind, task.name, sample.id, 2 * block + busy),
                            stage=name,
                            due_ns=at,
                        ),
                        session.requests_of(task, sample),
                    )
                )
                for endpoint in endpoints
            )
            yield Stage(name, "quality", its_law, lanes, together=False)


def _session(first: Job, turns: int) -> Iterator[Job]:
    yield first
    for turn in range(1, turns):
        yield replace(first, id=session.turn_id(first.id, turn), turn=turn, due_ns=None)
