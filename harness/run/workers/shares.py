"""One plan dealt out to several processes: each takes its share, and the shares together are the plan.

What is asked when does not depend on how many ask it: an arrival keeps its planned time, whoever is dealt it. Arrivals
are dealt out by a hash, as if by lot: a Poisson process that is thinned so stays Poisson, while every k-th of its
arrivals would come in gaps of an Erlang law, too evenly. Source: Kingman, Poisson Processes (1993), section 5.1. What
has no times, sessions of a closed loop and samples of a task, goes by turns, so that all places have equally many.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

from harness.errors import UsageError
from harness.provider import Limits
from harness.run.arrivals import Closed
from harness.run.planning.plan import Plan
from harness.run.planning.stages import Stage
from harness.types import Job


def share(plan: Plan, shard: int, of: int, *, apart: bool = False) -> Plan:
    """The part of a plan that one of ``of`` processes carries out; together they carry out the plan.

    Sessions are dealt out whole. The places of a closed loop and the limits of a provider are divided; ``apart``: the
    requests of a day too, for the processes are not all on one machine, which counts them.
    """
    endpoints = {}
    for name, endpoint in plan.endpoints.items():
        limits = _share(endpoint.provider.limits, shard, of)
        if not apart:
            limits = replace(limits, requests_per_day=endpoint.provider.limits.requests_per_day)
        endpoints[name] = replace(endpoint, provider=replace(endpoint.provider, limits=limits))
    stages = tuple(share_of_stage(plan, stage, shard, of) for stage in plan.stages)
    return replace(plan, endpoints=endpoints, stages=stages)


def share_of_stage(plan: Plan, stage: Stage, shard: int, of: int) -> Stage:
    """The same of one stage; without lanes where there is nothing to do."""
    law = stage.law
    if isinstance(law, Closed) and stage.kind != "probe":
        places = _part(law.concurrency, shard, of)
        if not places:
            return replace(stage, lanes=())
        # The processes with a place take the sessions among them.
        of = min(of, law.concurrency)
        law = replace(law, concurrency=places)
    lanes = tuple(tuple(job for job in lane if _number(plan, stage, job) % of == shard) for lane in stage.lanes)
    return replace(stage, law=law, lanes=lanes)


def refuse_indivisible(plan: Plan, of: int) -> None:
    """Refuse more processes than a limit can be divided among: each would ask at least one at a time.

    Raises:
        UsageError: names endpoint, limit and the most processes that keep it.
    """
    for endpoint in plan.endpoints.values():
        for name, value in asdict(endpoint.provider.limits).items():
            if value is not None and name != "requests_per_day" and value < of:
                raise UsageError(
                    f"{endpoint.id}: its limit {name}: {value} cannot be kept by {of} workers",
                    hint=f"Give --workers {value} or fewer",
                )


def _number(plan: Plan, stage: Stage, job: Job) -> int:
    """By what a job is dealt out: equal for all requests of which one is made of the other's answer.

    The turns of a session go together, and so do a sample's requests and what judges are asked about it. A probe's
    evidence may lie in several scenarios, so that all of them go to the first process.
    """
    if job.kind == "probe":
        return 0
    if job.kind == "load":
        return int(job.sample) if isinstance(stage.law, Closed) else _lot(job)
    matter = plan.matters.get(job.id)
    return plan.places[job.task, job.sample if matter is None else matter.sample]


def _lot(job: Job) -> int:
    digest = hashlib.blake2b(f"{job.task}/{job.sample}".encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest)


def _part(whole: int, shard: int, of: int) -> int:
    return whole // of + (shard < whole % of)


def _share(limits: Limits, shard: int, of: int) -> Limits:
    return Limits(
        **{name: None if value is None else max(1, _part(value, shard, of)) for name, value in asdict(limits).items()}
    )
