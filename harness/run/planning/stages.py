"""A load on its endpoints as stages: who is asked what, when, and what is measured of it."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.errors import UsageError
from harness.provider import Endpoint
from harness.run.arrivals import Closed, Law, offsets_ns
from harness.run.planning.samples import told
from harness.run.selecting.selection import Selection
from harness.run.session import turn_id
from harness.types import Job, JobKind, Load, Phase, Sample

MAX_PER_STAGE = 200_000
"""Requests of one endpoint in one stage; what is planned is kept in memory."""
_FASTEST_S = 0.05
"""A closed loop that ends by the clock is planned as if an answer took at least so long: what is not needed is not
asked."""


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
    duration_s: float | None = None
    """When it stops asking; its jobs are then at most those in the lanes. None: when they are through."""
    think_s: float = 0.0
    """Mean pause of a user, seconds."""
    block: int | None = None
    """Which block of a load it belongs to, from 1; None: it is not planned in blocks."""


def job_of(
    stage: str,
    endpoint: str,
    kind: JobKind,
    task: str,
    sample: str,
    repeat: int = 0,
    *,
    give_up_s: float | None = None,
) -> Job:
    """A job with the id that its place in the plan gives it."""
    name = f"{stage}/{endpoint}/{sample}/{repeat}"
    return Job(name, endpoint, kind, stage, task, sample, repeat, give_up_s=give_up_s)


class Step(NamedTuple):
    """One level of a load."""

    suffix: str
    """What its stage's name ends with, where the law alone would not tell it from another."""
    law: Law
    requests: int | None
    """Measured requests; None: as many as the law or the duration gives."""
    endpoint: str | None
    """The one endpoint that is asked; None: all."""
    block: int | None = None
    """Which time from 1 on the levels are gone through; None: they are gone through once."""


def stage_name(load: Load, step: Step) -> str:
    """The stage that a level of a load becomes."""
    return f"load.{load.name}@{step.law.label}{step.suffix}"


def load_stages(
    load: Load, endpoints: Mapping[str, Endpoint], selection: Selection, steps: Sequence[Step]
) -> Iterator[Stage]:
    """One stage for each step.

    Every request of the load has its own index, so that no two levels ask the same; levels of the same name ask
    different endpoints the same. Every second block has its lanes the other way round. Each lane begins with the
    warm-ups and ends with the cool-downs, under the same law: what is measured is never a start or an end.
    """
    index = itertools.count()
    numbered: dict[str, list[int]] = {}
    for step in steps:
        law, requests, only = step.law, step.requests, step.endpoint
        name = stage_name(load, step)
        times = _times(load, law, requests, selection.seed, name)
        numbers = numbered.setdefault(name, [])
        numbers += [next(index) for _ in times[len(numbers) :]]
        samples = [_sample(load, selection.seed, number) for number in numbers]
        lanes = tuple(
            tuple(
                _patient(load, job, selection.seed)
                for place, due_ns in enumerate(times)
                for job in _session(
                    Job("", endpoint, "load", name, load.name, str(numbers[place]), due_ns=due_ns),
                    samples[place],
                    _phase(load, place, len(times)),
                )
            )
            for endpoint in _in_turn(endpoints, step.block)
            if only in (None, endpoint)
        )
        yield Stage(
            *(name, "load", law, lanes),
            together=selection.paired,
            duration_s=load.duration_s,
            think_s=load.think_s,
            block=step.block,
        )


def _in_turn(endpoints: Mapping[str, Endpoint], block: int | None) -> list[str]:
    """The endpoints in the order of a block: A B, B A, A B... takes a steady drift out of what tells them apart."""
    return list(endpoints) if block is None or block % 2 else list(endpoints)[::-1]


def _times(load: Load, law: Law, requests: int | None, seed: int, name: str) -> list[int | None]:
    """When each session of a stage is due, None: as soon as a place is free."""
    around = load.warmup + load.cooldown
    wanted = None if requests is None else requests + around
    if isinstance(law, Closed):
        if wanted is None and load.duration_s is None:
            raise UsageError(f"stage {name} has neither a number of requests nor a duration", hint="Give --requests")
        if wanted is None:
            assert load.duration_s is not None
            wanted = min(MAX_PER_STAGE, max(4, math.ceil(load.duration_s / _FASTEST_S)) * law.concurrency + around)
        return [None] * _bounded(wanted, name)
    due = offsets_ns(law, seed)
    if load.duration_s is not None:
        end_ns = load.duration_s * 1e9
        due = itertools.takewhile(lambda at: at < end_ns, due)
    times = list(itertools.islice(due, MAX_PER_STAGE + 1 if wanted is None else wanted))
    if len(times) <= around:
        raise UsageError(
            f"stage {name} has {len(times)} arrivals, of which {around} are for warm-up and cool-down",
            hint="Ask for more requests or a longer time, or give --warmup 0",
        )
    _bounded(len(times), name)
    return list(times)


def _bounded(wanted: int, name: str) -> int:
    if wanted > MAX_PER_STAGE:
        raise UsageError(
            f"stage {name} has more than {MAX_PER_STAGE} requests for an endpoint",
            hint="Give --requests or --duration a smaller number",
        )
    return wanted


def _phase(load: Load, place: int, n: int) -> Phase:
    if place < load.warmup:
        return "warmup"
    return "cooldown" if place >= n - load.cooldown else "measure"


def _sample(load: Load, seed: int, number: int) -> Sample:
    with told(f"load {load.name}, prompt {number}"):
        return load.sample(seed, number)


def _session(first: Job, sample: Sample, phase: Phase) -> Iterator[Job]:
    """The jobs of a session: the first one, which knows who, where and when, and its later turns."""
    for turn in range(1 + len(sample.turns)):
        yield replace(
            first,
            id=turn_id(f"{first.stage}/{first.endpoint}/{first.sample}/0", turn),
            phase=phase,
            turn=turn,
            due_ns=None if turn else first.due_ns,
            input_tokens=None if turn else sample.metadata.get("input_tokens"),
            output_tokens=sample.metadata.get("output_tokens"),
        )


def _patient(load: Load, job: Job, seed: int) -> Job:
    """The job with the patience of its user: the same for every endpoint."""
    if not load.give_up_share or load.give_up_s is None:
        return job
    draw = random.Random(f"{seed}/patience/{job.stage}/{job.sample}/{job.turn}")  # noqa: S311 - a draw, not a secret
    if draw.random() >= load.give_up_share:
        return job
    return replace(job, give_up_s=load.give_up_s)


class Part(NamedTuple):
    """What begins and ends together: all lanes of a stage, or one where they go one after the other."""

    stage: Stage
    lanes: tuple[tuple[Job, ...], ...]


def parts(stages: Sequence[Stage]) -> list[Part]:
    """The parts of stages in their order; lanes without jobs are left out."""
    found: list[Part] = []
    for stage in stages:
        lanes = tuple(lane for lane in stage.lanes if lane)
        found += [Part(stage, lanes)] if stage.together and lanes else [Part(stage, (lane,)) for lane in lanes]
    return found


def at_once(stage: Stage, lane: Sequence[Job]) -> int:
    """Connections that a stage may well need at its beginning: its places, or what is due in its first second."""
    if isinstance(stage.law, Closed):
        return stage.law.concurrency
    return sum(1 for job in lane if job.due_ns is not None and job.due_ns < 1_000_000_000)


def over(stage: Stage, began_ns: int, now_ns: int) -> bool:
    """Whether a stage that ends by the clock has ended."""
    return stage.duration_s is not None and now_ns - began_ns >= stage.duration_s * 1e9
