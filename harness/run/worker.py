"""One process of a load: carries out its share of each stage when it is told to, and journals it in a shard of its own.

It is spoken to in JSON lines on standard input and answers on standard output. The process that started it goes away:
standard input ends, and so does it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, replace

from harness.credentials import Credentials
from harness.exchange import Outcome
from harness.folder import RunFolder
from harness.journal import Journal
from harness.prices import price_of
from harness.provider import Limits
from harness.run.arrivals import Closed
from harness.run.budget import Spending
from harness.run.conduct import BROKEN_OFF, clients_of, observed
from harness.run.plan import Plan
from harness.run.runner import Runner, Session, closing
from harness.run.stages import Part, Stage, parts
from harness.run.stored import Progress
from harness.run.tally import Budget, Tally
from harness.types import Attempt, Job, JsonObject
from harness.wire.pool import Pool

_TELL_EVERY_S = 0.2
_MAX_LINE = 1 << 20


def share(plan: Plan, shard: int, of: int) -> Plan:
    """The part of a plan that one of ``of`` processes carries out; together they carry out the plan.

    Sessions are dealt out by their number, so the arrivals of all processes together are those of one. The places of a
    closed loop and the limits of a provider are divided.
    """
    endpoints = {
        name: replace(endpoint, provider=replace(endpoint.provider, limits=_share(endpoint.provider.limits, shard, of)))
        for name, endpoint in plan.endpoints.items()
    }
    return replace(plan, endpoints=endpoints, stages=tuple(_stage(stage, shard, of) for stage in plan.stages))


def _stage(stage: Stage, shard: int, of: int) -> Stage:
    law = stage.law
    if isinstance(law, Closed):
        places = _part(law.concurrency, shard, of)
        if not places:
            return replace(stage, lanes=())
        # The processes with a place take the sessions among them.
        of = min(of, law.concurrency)
        law = replace(law, concurrency=places)
    lanes = tuple(tuple(job for job in lane if _mine(job, shard, of)) for lane in stage.lanes)
    return replace(stage, law=law, lanes=lanes)


def _mine(job: Job, shard: int, of: int) -> bool:
    return int(job.sample) % of == shard


def _part(whole: int, shard: int, of: int) -> int:
    return whole // of + (shard < whole % of)


def _share(limits: Limits, shard: int, of: int) -> Limits:
    """The requests of a day are counted for all processes together and not divided."""
    divided = {
        name: None if value is None else max(1, _part(value, shard, of)) for name, value in asdict(limits).items()
    }
    return Limits(**{**divided, "requests_per_day": limits.requests_per_day})


class Counts:
    """A watcher that counts, for the process that shows the progress."""

    def __init__(self) -> None:
        self._jobs = self._again = 0
        self._failures: Counter[str] = Counter()

    def planned(self, jobs: int) -> None:
        """The starting process knows."""

    def follow(self, tally: Callable[[], Tally]) -> None:
        """The starting process is told the tally."""

    def told(self, line: str) -> None:
        """Goes into this process's log."""
        sys.stderr.write(f"{line}\n")

    def stage(self, stage: Stage) -> None:
        """The starting process says so."""

    def counted(self, jobs: int, again: int, failures: Mapping[str, int]) -> None:
        """Nobody works for this process."""

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt was journalled."""
        self._jobs += not again
        self._again += again
        if outcome.failure and attempt.job.kind != "probe":
            self._failures[outcome.failure.kind] += 1

    def take(self) -> JsonObject | None:
        """What was counted since the last time; None: nothing."""
        if not self._jobs and not self._again:
            return None
        told: JsonObject = {"jobs": self._jobs, "again": self._again, "failures": dict(self._failures)}
        self._jobs = self._again = 0
        self._failures.clear()
        return told


class Worker:
    """Carries out what it is told."""

    def __init__(
        self, folder: RunFolder, replan: Callable[[], Plan], progress: Progress, shard: tuple[int, int]
    ) -> None:
        """``replan`` gives the run's plan as its folder has it; ``shard``: number of this process, and how many."""
        self._folder = folder
        self._replan = replan
        self._shard = shard
        self._all = replan()
        self._progress = progress
        self._ready: list[Iterator[Session]] = []
        self._counts = Counts()

    async def work(self, journal: Journal, keys: Mapping[str, Credentials]) -> None:
        """Until standard input ends or says so."""
        pool = Pool()
        plan = share(self._all, *self._shard)
        clients = clients_of(plan, pool, keys)
        prices = {name: price_of(endpoint) for name, endpoint in plan.endpoints.items()}
        runner = Runner(plan, clients, journal, self._counts, prices, Budget(), self._progress.before)
        async with (
            closing(clients, pool),
            observed(runner, plan, self._folder, self._shard[0]),
            asyncio.TaskGroup() as group,
        ):
            telling = group.create_task(self._tell_counts(runner))
            _tell({"ready": os.getpid()})
            try:
                async for said in _lines():
                    if "do" in said:
                        group.create_task(self._do(runner, said))
                    elif "budget" in said:
                        runner.gate.spending = Spending(Budget(**said["budget"]), prices)
                    elif "replan" in said:
                        self._all = self._replan()
                    elif "stop" in said:
                        runner.stop(said["stop"])
                    elif "abort" in said:
                        pool.abort(BROKEN_OFF)
                    elif "end" in said:
                        break
            finally:
                runner.stop("interrupted")
                pool.abort(BROKEN_OFF)
                telling.cancel()

    async def _do(self, runner: Runner, said: JsonObject) -> None:
        """Prepare or carry out the part of that number."""
        number = int(said["part"])
        part = self._share_of(number)
        if said["do"] == "prepare":
            self._ready = await runner.prepare(part) if part.lanes else []
            _tell({"prepared": number})
            return
        if part.lanes:
            facts = await runner.carry(part, self._ready, int(said["began_ns"]))
            _tell({"facts": asdict(facts)})
        if told := self._counts.take():
            _tell({"counts": told, "tally": asdict(runner.tally)})
        _tell({"done": number, "tally": asdict(runner.tally)})

    def _share_of(self, number: int) -> Part:
        whole = parts(self._all.without(self._progress.done).stages)[number]
        stage = _stage(replace(whole.stage, lanes=whole.lanes), *self._shard)
        return Part(stage, tuple(lane for lane in stage.lanes if lane))

    async def _tell_counts(self, runner: Runner) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if told := self._counts.take():
                _tell({"counts": told, "tally": asdict(runner.tally)})


def _tell(what: JsonObject) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _lines() -> AsyncIterator[JsonObject]:
    """The lines of standard input as they come."""
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)
