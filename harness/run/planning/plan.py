"""From a selection to the exact list of requests: the same samples for every endpoint, in an order drawn from a seed.

A plan is a pure function of its selection, the tasks and the seed, so that a broken-off run can be planned again and
proved equal by its hash.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from harness import request
from harness.catalog import Catalog
from harness.conformance.capture import Capture
from harness.conformance.probe import Probe, select
from harness.conformance.scenario import Scenario, scenarios_of
from harness.errors import UsageError
from harness.exchange import Outcome
from harness.prompts.task import task_of
from harness.provider import Endpoint, Limits
from harness.record import versions
from harness.run import session
from harness.run.admission.rate_limits import retry_delay_s
from harness.run.arrivals import Closed, Constant, Law, Poisson
from harness.run.planning.judging import Matter, judge_stages, question, refuse_unjudgeable
from harness.run.planning.probing import probe_stages
from harness.run.planning.reshape import KEPT, reshape
from harness.run.planning.samples import limits, samples_of, told
from harness.run.planning.stages import Stage, Step, job_of, load_stages
from harness.run.planning.task_stages import task_stages
from harness.run.selecting.selection import Search, Selection
from harness.types import Attempt, Job, JsonObject, Load, Request, Sample, Task

_DEFAULTS: Mapping[str, Any] = {
    field.name: field.default for field in dataclasses.fields(Job) if field.default is not dataclasses.MISSING
}
_ALWAYS = ("repeat", "phase")


@dataclass(frozen=True)
class Plan:
    """Everything that will be asked, and how to build each request."""

    selection: Selection
    stages: tuple[Stage, ...]
    endpoints: Mapping[str, Endpoint]
    """By id, whoever is asked: those under test, the first of them the baseline, and those that judge them."""
    tasks: Mapping[str, Task]
    samples: Mapping[tuple[str, str], Sample]
    """By (task, sample id)."""
    loads: Mapping[str, Load]
    """As they are carried out, with the user's changes."""
    probes: tuple[Probe, ...]
    scenarios: Mapping[str, Scenario]
    matters: Mapping[str, Matter] = field(default_factory=dict, repr=False)
    """What the requests to judges are about, by job id."""
    built: dict[str, Request] = field(default_factory=dict, repr=False, compare=False)
    """Requests that ``lines`` built, by job id: they are what is sent."""

    @property
    def tested(self) -> dict[str, Endpoint]:
        """The endpoints under test, in the order of the selection."""
        return {name: self.endpoints[name] for name in self.selection.endpoints}

    @property
    def jobs(self) -> Iterator[Job]:
        """All jobs, in the order of the plan."""
        for stage in self.stages:
            for lane in stage.lanes:
                yield from lane

    def request(self, job: Job, said: Sequence[JsonObject] = ()) -> Request:
        """The exact request of a job.

        ``said`` is what the endpoint answered to the earlier turns of its session; without it a later turn is built as
        far as it can be known beforehand, and that is what its hash is taken of. TaskError where the task's environment
        fails.
        """
        if not said and job.id in self.built:
            return self.built[job.id]
        endpoint = self.endpoints[job.endpoint]
        if job.kind == "probe":
            return self.scenarios[job.sample].build(endpoint, job.repeat)
        if job.kind == "judge":
            planned = self.judged(job, None)
            assert planned is not None
            return planned
        task = None if job.kind == "load" else self.tasks[job.task]
        world = None if task is None else task.world
        if world is not None and job.turn and not said:
            # What stands there beforehand are the first messages alone, and they may well be built already.
            return self.request(replace(job, id=session.first_id(job), turn=0))
        sample = self.sample(job)
        stream, api = task is None or task.stream, self.selection.api
        if not said:
            return request.build(session.at_turn(sample, job.turn, ()), endpoint, stream=stream, api=api)
        with told(f"task {job.task}, sample {job.sample}: its world"):
            asked = session.at_turn(sample, job.turn, said, world)
        built = request.build(asked, endpoint, stream=stream, api=api)
        return replace(built, workload_sha256=self.request(job).workload_sha256)

    def over(self, job: Job, said: Sequence[JsonObject]) -> bool:
        """Whether a session is over before this request of it; ``said`` is what was answered to the earlier ones."""
        task = self.tasks.get(job.task) if job.kind in ("quality", "tools") else None
        return task is not None and task.world is not None and session.over(self.sample(job), said)

    @functools.cached_property
    def places(self) -> dict[tuple[str, str], int]:
        """Place of each sample among those of its task, from 0, by (task, sample id)."""
        counts: Counter[str] = Counter()
        found = {}
        for task, sample in self.samples:
            found[task, sample] = counts[task]
            counts[task] += 1
        return found

    @functools.cached_property
    def answers(self) -> frozenset[str]:
        """Ids of the jobs whose answers judges are shown."""
        return frozenset(name for matter in self.matters.values() for name in matter.needed)

    def judged(self, job: Job, answers: Mapping[str, str] | None) -> Request | None:
        """The request to a judge, with the answers by job id; None for them: as it is planned, without any.

        None: an answer that it is about did not come.
        """
        matter, endpoint = self.matters[job.id], self.endpoints[job.endpoint]
        task, sample = self.tasks[matter.task], self.samples[matter.task, matter.sample]
        assert task.scorer.judging is not None
        asked = question(matter, sample, task.scorer.judging, endpoint, answers)
        if asked is None:
            return None
        built = request.build(asked, endpoint, stream=True)
        return built if answers is None else replace(built, workload_sha256=self.request(job).workload_sha256)

    def to_come(self, job: Job) -> Iterator[Request]:
        """The requests whose answers will stand in this one's prompt: what is judged, or was said in its session."""
        matter = self.matters.get(job.id)
        for name in session.earlier_turns(job) if matter is None else matter.needed:
            yield self.request(self._by_id[name])

    @functools.cached_property
    def _by_id(self) -> dict[str, Job]:
        return {job.id: job for job in self.jobs}

    def earlier(self, job: Job) -> str | None:
        """Id of the job whose answer this one's request is made of; None: it can be built without any."""
        first = self.scenarios[job.sample].follows if job.kind == "probe" else None
        if first is None:
            return None
        return job_of(job.stage, job.endpoint, "probe", first.surface, first.name, job.repeat).id

    def retry_delay_s(self, attempt: Attempt, outcome: Outcome) -> float | None:
        """Seconds to wait before a job is tried again; None: it is not. What a probe wants to see, it got."""
        job = attempt.job
        wanted = job.kind == "probe" and attempt.exchange.status in self.scenarios[job.sample].answers
        if outcome.failure is None or wanted:
            return None
        return retry_delay_s(job, attempt.number, outcome.failure)

    @functools.cached_property
    def followed(self) -> frozenset[str]:
        """Names of the scenarios whose answers later requests are made of."""
        return frozenset(one.follows.name for one in self.scenarios.values() if one.follows is not None)

    def continued(self, job: Job, before: Capture) -> Request | None:
        """The request made of the answer to an earlier one; None: that answer does not hold what it takes."""
        build_on = self.scenarios[job.sample].build_on
        assert build_on is not None
        try:
            built = build_on(self.endpoints[job.endpoint], before)
        except (LookupError, TypeError, AttributeError):  # an answer may have any shape
            built = None
        return None if built is None else replace(built, workload_sha256=self.request(job).workload_sha256)

    def sample(self, job: Job) -> Sample:
        """The sample of a quality, tool or load job."""
        if job.kind == "load":
            load = self.loads[job.task]
            with told(f"load {job.task}, prompt {job.sample}"):
                sample = load.sample(self.selection.seed, int(job.sample))
            return session.nonced(sample, load.nonce, self.selection.nonce, job.sample)
        return self.samples[job.task, job.sample]

    def lines(self) -> bytes:
        """The plan as JSON lines: one job each, with the hash of what it asks and when it is due."""
        lines = []
        for job in self.jobs:
            asked = self.request(job)
            if len(self.built) < KEPT:
                self.built[job.id] = asked
            lines.append(
                orjson.dumps({"v": versions.VERSION, **_job_json(job), "workload_sha256": asked.workload_sha256})
                + b"\n"
            )
        return b"".join(lines)

    def without(self, done: frozenset[str]) -> Plan:
        """The same plan less the jobs whose ids are in ``done``; a stage that ends by the clock is not begun twice."""
        return replace(self, stages=tuple(rest_of(stage, done) for stage in self.stages))

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


def make(
    selection: Selection, catalog: Catalog, endpoints: Sequence[Endpoint], judges: Sequence[Endpoint] = ()
) -> Plan:
    """Plan a selection.

    Args:
        selection: what the user asked for.
        catalog: where its tasks, probes and loads are.
        endpoints: the endpoints of the selection, in its order; the first is the baseline of comparisons.
        judges: the endpoints that judge, in its order.

    Raises:
        UsageError: nothing was selected, a task twice, a judged task without a judge, or more requests than
            ``max_requests`` are needed.
        TaskError: a task has no samples, or two of one id, or one that cannot be sent or scored, or its code fails.
    """
    by_id = {endpoint.id: _unlimited(endpoint) if selection.owned else endpoint for endpoint in endpoints}
    asked = limits(selection.tasks)
    files = {one.name: one for one in selection.files}
    tasks = {name: task_of(files[name]) if name in files else catalog.task(name) for name in asked}
    loads = {name: reshape(catalog.load(name), selection.of_load(name).changes) for name in selection.loads}
    if selection.probes:
        catalog.add_plugins("probes")
    probes = select(tuple(catalog.probes.values()), selection.probes) if selection.probes else ()
    scenarios = {scenario.name: scenario for scenario in scenarios_of(probes)}
    refuse_unjudgeable(tasks, selection)
    samples = {name: samples_of(task, asked[name], selection.data_for(name)) for name, task in tasks.items()}
    judging = list(judge_stages(tasks, samples, [endpoint.id for endpoint in judges], selection))
    stages = [
        *probe_stages(scenarios, by_id, selection.again),
        *task_stages(tasks, samples, by_id, selection),
        *(stage for stage, _ in judging),
        *(stage for load in loads.values() for stage in load_stages(load, by_id, selection, levels(load, selection))),
    ]
    plan = Plan(
        selection=selection,
        stages=tuple(stages),
        endpoints=by_id | {endpoint.id: endpoint for endpoint in judges if endpoint.id not in by_id},
        tasks=tasks,
        samples={(name, sample.id): sample for name, rows in samples.items() for sample in rows},
        loads=loads,
        probes=probes,
        scenarios=scenarios,
        matters={name: matter for _, matters in judging for name, matter in matters.items()},
    )
    _refuse_empty_or_oversized(plan)
    return plan


def _unlimited(endpoint: Endpoint) -> Endpoint:
    """The endpoint of somebody who may do with it as they like."""
    return replace(endpoint, provider=replace(endpoint.provider, limits=Limits()))


def levels(load: Load, selection: Selection) -> list[Step]:
    """The levels of a load: those of its file, or those that a search has decided on so far."""
    if selection.search is None:
        blocks = selection.of_load(load.name).blocks
        if blocks == 1:
            return [Step("", law, load.requests_per_level, None) for law in load.levels]
        return [
            Step(f"#{block}", law, load.requests_per_level, None, block)
            for block in range(1, blocks + 1)
            for law in load.levels
        ]
    return [
        Step(
            f"#{one.repeat + 1}" if one.repeat else "", _at_level(selection.search, one.at), one.requests, one.endpoint
        )
        for one in selection.decided
    ]


def _at_level(search: Search, at: float) -> Law:
    """The arrival law of one level of a search."""
    if search.axis == "concurrency":
        return Closed(round(at))
    return Constant(at) if search.even else Poisson(at)


def _refuse_empty_or_oversized(plan: Plan) -> None:
    planned = sum(1 for _ in plan.jobs)
    most = plan.selection.max_requests
    at_most = "up to " if any(task.world for task in plan.tasks.values()) else ""
    if not planned and plan.selection.search is None:
        raise UsageError("nothing to do: the selection names no task, probe or load", hint="See harness tasks list")
    if most is not None and planned > most:
        raise UsageError(
            f"the plan needs {at_most}{planned} requests, more than --max-requests {most}",
            hint="Raise it, or keep fewer samples with TASK:N",
        )


def rest_of(stage: Stage, done: frozenset[str]) -> Stage:
    """A stage less the jobs whose ids are in ``done``; one that ends by the clock is not begun twice."""
    if stage.duration_s is None:
        return replace(stage, lanes=tuple(tuple(job for job in lane if job.id not in done) for lane in stage.lanes))
    return replace(stage, lanes=tuple(() if any(job.id in done for job in lane) else lane for lane in stage.lanes))


def _job_json(job: Job) -> JsonObject:
    """A job without the fields that say nothing about it."""
    fields = {name: getattr(job, name) for name in Job.__slots__}
    return {
        name: value
        for name, value in fields.items()
        if name in _ALWAYS or name not in _DEFAULTS or value != _DEFAULTS[name]
    }
