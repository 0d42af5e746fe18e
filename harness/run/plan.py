"""From a selection to the exact list of requests: the same samples for every endpoint, in an order drawn from a seed.

A plan is a pure function of its selection, the tasks and the seed, so that a broken-off run can be planned again and
proved equal by its hash.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import request
from harness.catalog import Catalog
from harness.conformance.probe import Probe, select
from harness.conformance.scenario import Scenario, scenarios_of
from harness.errors import HarnessError, TaskError, UsageError
from harness.run.arrivals import Closed, Law
from harness.types import (
    Completion,
    Endpoint,
    Job,
    JobKind,
    JsonObject,
    Load,
    Phase,
    Request,
    Sample,
    StreamMarks,
    Task,
)

_NOTHING_SAID = Completion("", "", "", (), "stop", None, StreamMarks())


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for; kept in ``run.json`` and enough, with the tasks' files, to plan again."""

    suite: str
    endpoints: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    """``name`` or ``name:limit``."""
    probes: str | None = None
    loads: tuple[str, ...] = ()
    data: str | None = None
    """Local file read by the tasks in place of their own source; None: their own source."""
    repeats: int = 1
    concurrency: int = 4
    """Requests under way per endpoint in quality and tool tasks."""
    seed: int = 0
    max_requests: int | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Selection:
        """The selection that ``dataclasses.asdict`` wrote into a manifest."""
        lists = {name: tuple(stored[name]) for name in ("endpoints", "tasks", "loads")}
        return cls(**{**stored, **lists})


@dataclass(frozen=True, slots=True)
class Stage:
    """Jobs under one arrival law: one lane per endpoint."""

    name: str
    kind: JobKind
    law: Law
    lanes: tuple[tuple[Job, ...], ...]
    together: bool
    """Lanes side by side (the endpoints are interleaved in time), or one after the other, so that loads on one
    machine do not disturb each other."""


@dataclass(frozen=True)
class Plan:
    """Everything that will be asked, and how to build each request."""

    selection: Selection
    stages: tuple[Stage, ...]
    endpoints: Mapping[str, Endpoint]
    tasks: Mapping[str, Task]
    samples: Mapping[tuple[str, str], Sample]
    """By (task, sample id)."""
    loads: Mapping[str, Load]
    probes: tuple[Probe, ...]
    scenarios: Mapping[str, Scenario]

    @property
    def jobs(self) -> Iterator[Job]:
        """All jobs, in the order of the plan."""
        for stage in self.stages:
            for lane in stage.lanes:
                yield from lane

    def request(self, job: Job) -> Request:
        """The exact request of a job."""
        endpoint = self.endpoints[job.endpoint]
        if job.kind == "probe":
            return self.scenarios[job.sample].build(endpoint)
        return request.build(self.sample(job), endpoint, stream=job.kind == "load" or self.tasks[job.task].stream)

    def sample(self, job: Job) -> Sample:
        """The sample of a quality, tool or load job."""
        if job.kind == "load":
            with told(f"load {job.task}, prompt {job.sample}"):
                return self.loads[job.task].sample(self.selection.seed, int(job.sample))
        return self.samples[job.task, job.sample]

    def lines(self) -> bytes:
        """The plan as JSON lines: one job each, with the hash of what it asks."""
        rows = ({**_job_json(job), "workload_sha256": self.request(job).workload_sha256} for job in self.jobs)
        return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)

    def without(self, done: frozenset[str]) -> Plan:
        """The same plan less the jobs whose ids are in ``done``."""
        stages = tuple(
            replace(stage, lanes=tuple(tuple(job for job in lane if job.id not in done) for lane in stage.lanes))
            for stage in self.stages
        )
        return replace(self, stages=stages)

    def served_at(self, base_urls: Mapping[str, str]) -> Plan:
        """The same plan with the addresses of servers that were started, by provider id."""
        placed = {
            name: replace(endpoint, provider=replace(endpoint.provider, base_url=base_urls[endpoint.provider.id]))
            if endpoint.provider.id in base_urls
            else endpoint
            for name, endpoint in self.endpoints.items()
        }
        return replace(self, endpoints=placed)


def sha256(lines: bytes) -> str:
    """Hex digest that names a plan."""
    return hashlib.sha256(lines).hexdigest()


def make(selection: Selection, catalog: Catalog, endpoints: Sequence[Endpoint]) -> Plan:
    """Plan a selection.

    Args:
        selection: what the user asked for.
        catalog: where its tasks, probes and loads are.
        endpoints: the endpoints of the selection, in its order; the first is the baseline of comparisons.

    Raises:
        UsageError: nothing was selected, a task twice, or more requests than ``max_requests`` are needed.
        TaskError: a task has no samples, or two of one id, or one that cannot be sent or scored, or its code fails.
    """
    by_id = {endpoint.id: endpoint for endpoint in endpoints}
    limits = _limits(selection.tasks)
    tasks = {name: catalog.task(name) for name in limits}
    loads = {name: catalog.load(name) for name in selection.loads}
    probes = select(tuple(catalog.probes.values()), selection.probes) if selection.probes else ()
    scenarios = {scenario.name: scenario for scenario in scenarios_of(probes)}
    samples = {name: _samples(task, limits[name], selection.data) for name, task in tasks.items()}
    stages = [
        *([_probe_stage(scenarios, by_id)] if scenarios else []),
        *(_task_stage(task, samples[name], by_id, selection) for name, task in tasks.items()),
        *(stage for load in loads.values() for stage in _load_stages(load, by_id)),
    ]
    plan = Plan(
        selection=selection,
        stages=tuple(stages),
        endpoints=by_id,
        tasks=tasks,
        samples={(name, sample.id): sample for name, rows in samples.items() for sample in rows},
        loads=loads,
        probes=probes,
        scenarios=scenarios,
    )
    _refuse_empty_or_oversized(plan)
    return plan


def _refuse_empty_or_oversized(plan: Plan) -> None:
    planned = sum(1 for _ in plan.jobs)
    most = plan.selection.max_requests
    if not planned:
        raise UsageError("nothing to do: the selection names no task, probe or load", hint="See harness tasks list")
    if most is not None and planned > most:
        raise UsageError(
            f"the plan needs {planned} requests, more than --max-requests {most}",
            hint="Raise it, or keep fewer samples with TASK:N",
        )


@contextmanager
def told(where: str) -> Iterator[None]:
    """A task's own code may raise anything: it becomes a TaskError that names ``where``, file and line."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((one for one in reversed(frames) if "tasks" in Path(one.filename).parts), frames[-1])
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise TaskError(f"{where}: {what} ({frame.filename}:{frame.lineno})") from error


def _limits(selected: Sequence[str]) -> dict[str, int | None]:
    limits = [_limit(name) for name in selected]
    twice = [name for name, count in Counter(name for name, _ in limits).items() if count > 1]
    if twice:
        raise UsageError(f"task {twice[0]!r} is named twice", hint="Name it once; --repeats asks each sample again")
    return dict(limits)


def _limit(selected: str) -> tuple[str, int | None]:
    name, colon, count = selected.partition(":")
    if colon and not (count.isdecimal() and int(count) > 0):
        raise UsageError(f"task {selected!r}: the part after ':' must be a number of samples, as in {name}:20")
    return name, int(count) if colon else None


def _samples(task: Task, limit: int | None, data: str | None) -> tuple[Sample, ...]:
    with told(f"task {task.name}"):
        rows = tuple(itertools.islice(task.load(Path(data) if data else None), limit))
    if not rows:
        raise TaskError(f"task {task.name}: no samples" + (f" in {data}" if data else ""))
    seen: set[str] = set()
    for number, sample in enumerate(rows, 1):
        if fault := _fault(sample, number):
            raise TaskError(f"task {task.name}: {fault}")
        if sample.id in seen:
            raise TaskError(f"task {task.name}: two samples have the id {sample.id!r}", hint="Ids must be unique")
        seen.add(sample.id)
    _refuse_useless_targets(task, rows)
    return rows


def _fault(sample: Any, number: int) -> str | None:
    """Why the ``number``-th thing that a task gave cannot be sent; None: it can."""
    if not isinstance(sample, Sample):
        return f"sample number {number} is a {type(sample).__name__}, not a Sample of harness.types"
    # A user's code is not type-checked: a field may hold anything.
    given: Mapping[str, Any] = {name: getattr(sample, name) for name in ("id", "messages", "params")}
    if not isinstance(given["id"], str) or not given["id"]:
        kind = "an empty one" if given["id"] == "" else f"a {type(given['id']).__name__}"
        return f"sample number {number}: id must be a string that is not empty, not {kind}"
    where, messages = " ".join(f"sample {sample.id}".split()), given["messages"]
    if not isinstance(messages, tuple | list):
        return f"{where}: messages must be a tuple of messages, as in (message,), not a {type(messages).__name__}"
    if not messages:
        return f"{where}: messages is empty"
    for index, message in enumerate(messages):
        if fault := _message_fault(message):
            return f"{where}: messages[{index}] {fault}"
    if not isinstance(given["params"], Mapping):
        return f"{where}: params must be a mapping, not a {type(given['params']).__name__}"
    return None


def _message_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return f"must be a dict, not a {type(message).__name__}"
    if "role" not in message:
        return "has no 'role'"
    if not isinstance(message["role"], str):
        return f"has a 'role' that is a {type(message['role']).__name__}, not a string"
    return None if "content" in message or "tool_calls" in message else "has no 'content'"


def _refuse_useless_targets(task: Task, samples: Sequence[Sample]) -> None:
    # The harness's own scorers look at the target first and take any answer. A user's own may count on some text,
    # since an empty answer is a failure and never scored, so it is not tried.
    if not str(getattr(task.scorer.score, "__module__", "")).startswith("harness.scorers."):
        return
    for sample in samples:
        try:
            with told(f"task {task.name}: sample {sample.id}"):
                task.scorer.score(sample, _NOTHING_SAID)
        except TaskError as error:
            named = error.what.startswith(f"task {task.name}: ")
            raise TaskError(error.what if named else f"task {task.name}: {error.what}", hint=error.hint) from error


def _task_stage(
    task: Task, samples: Sequence[Sample], endpoints: Mapping[str, Endpoint], selection: Selection
) -> Stage:
    stage = f"{task.kind}.{task.name}"
    order = [(sample.id, repeat) for repeat in range(selection.repeats) for sample in samples]
    random.Random(f"{selection.seed}/{stage}").shuffle(order)  # noqa: S311 - a reproducible order, not a secret
    lanes = tuple(
        tuple(_job(stage, endpoint, task.kind, task.name, sample, repeat) for sample, repeat in order)
        for endpoint in endpoints
    )
    return Stage(stage, task.kind, Closed(selection.concurrency), lanes, together=True)


def _probe_stage(scenarios: Mapping[str, Scenario], endpoints: Mapping[str, Endpoint]) -> Stage:
    lanes = tuple(
        tuple(
            _job("probe", endpoint, "probe", scenario.surface, scenario.name, repeat)
            for scenario in scenarios.values()
            for repeat in range(scenario.repeats)
        )
        for endpoint in endpoints
    )
    # One at a time: a probe's evidence must not depend on what its neighbours do to the server.
    return Stage("probe", "probe", Closed(1), lanes, together=True)


def _load_stages(load: Load, endpoints: Mapping[str, Endpoint]) -> Iterator[Stage]:
    index = itertools.count()
    for law in load.levels:
        stage = f"load.{load.name}@{law.label}"
        warm = [next(index) for _ in range(load.warmup)]
        measured = [next(index) for _ in range(load.requests_per_level)]
        if warm:
            lanes = tuple(
                tuple(_job(f"{stage}.warmup", e, "load", load.name, str(i), phase="warmup") for i in warm)
                for e in endpoints
            )
            yield Stage(f"{stage}.warmup", "load", Closed(1), lanes, together=False)
        lanes = tuple(tuple(_job(stage, e, "load", load.name, str(i)) for i in measured) for e in endpoints)
        yield Stage(stage, "load", law, lanes, together=False)


def _job(
    stage: str, endpoint: str, kind: JobKind, task: str, sample: str, repeat: int = 0, *, phase: Phase = "measure"
) -> Job:
    return Job(f"{stage}/{endpoint}/{sample}/{repeat}", endpoint, kind, stage, task, sample, repeat, phase)


def _job_json(job: Job) -> JsonObject:
    return {name: getattr(job, name) for name in Job.__slots__}
