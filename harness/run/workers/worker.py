"""One process of a load: carries out its share of each stage when it is told to, and journals it in a shard of its own.

It is spoken to in JSON lines on standard input and answers on standard output. The process that started it goes away:
standard input ends, and so does it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from harness import __version__
from harness.exchange import Outcome
from harness.prices import price_of
from harness.record.folder import RunFolder
from harness.record.journal import Journal
from harness.run.admission.budget import Spending
from harness.run.conduct import BROKEN_OFF, clients_of, observed
from harness.run.planning.plan import Plan, rest_of
from harness.run.planning.stages import Part, Stage, parts
from harness.run.runner import Runner, Session, closing
from harness.run.stored import Progress
from harness.run.tally import Budget, Tally
from harness.run.workers.clocks import here
from harness.run.workers.shares import share, share_of_stage
from harness.secrets.credentials import Credentials
from harness.types import Attempt, Job, JsonObject
from harness.wire.pool import Pool

_TELL_EVERY_S = 0.2
_MAX_LINE = 1 << 20


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
        self,
        folder: RunFolder,
        replan: Callable[[], Plan],
        progress: Progress,
        shard: tuple[int, int],
        *,
        apart: bool = False,
    ) -> None:
        """``replan`` gives the run's plan as its folder has it; ``shard``: number of this process, and how many.

        ``apart``: as in ``shares.share``.
        """
        self._folder = folder
        self._replan = replan
        self._shard = shard
        self._apart = apart
        self._all = replan()
        self._parts: dict[str, Part] = {}
        self._progress = progress
        self._ready: list[Iterator[Session]] = []
        self._part: Part | None = None
        self._counts = Counts()

    async def work(self, journal: Journal, keys: Mapping[str, Credentials]) -> None:
        """Until standard input ends or says so."""
        pool = Pool()
        plan = share(self._all, *self._shard, apart=self._apart)
        clients = clients_of(plan, pool, keys)
        prices = {name: price_of(endpoint) for name, endpoint in plan.endpoints.items()}
        runner = Runner(plan, clients, journal, self._counts, prices, Budget(), self._progress.before)
        async with (
            closing(clients, pool),
            observed(runner, plan, self._folder, self._shard[0]),
            asyncio.TaskGroup() as group,
        ):
            telling = group.create_task(self._tell_counts(runner))
            _tell({"ready": os.getpid(), "session": journal.session.session, "version": __version__, **here()})
            try:
                async for said in _lines():
                    if "do" in said:
                        group.create_task(self._do(runner, said))
                    elif "budget" in said:
                        runner.admission.spending = Spending(Budget(**said["budget"]), prices)
                        runner.admission.spending.begin(int(said["planned"]))
                    elif "replan" in said:
                        self._all, self._parts = self._replan(), {}
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
        """Prepare the part that holds the job of that id, or carry out what was prepared."""
        name = str(said["part"])
        if said["do"] == "prepare":
            self._part, missed = self._share_of(name, said.get("since_ns"))
            self._ready = await runner.prepare(self._part) if self._part.lanes else []
            _tell({"prepared": name, "missed": missed})
            return
        assert self._part is not None
        if self._part.lanes:
            facts = await runner.carry(self._part, self._ready, int(said["began_ns"]))
            _tell({"facts": asdict(facts)})
        if told := self._counts.take():
            _tell({"counts": told, "tally": asdict(runner.tally)})
        _tell({"done": name, "tally": asdict(runner.tally)})

    def _share_of(self, name: str, since_ns: int | None) -> tuple[Part, int]:
        """What this process has to do of a part, and how many requests it has missed.

        ``since_ns``: it comes back to a part that began then. What was due meanwhile is then left for another sitting:
        asked now, it would be a burst that nobody planned.
        """
        if not self._parts:
            self._parts = {job.id: part for part in parts(self._all.stages) for lane in part.lanes for job in lane}
        whole = self._parts[name]
        stage = share_of_stage(self._all, replace(whole.stage, lanes=whole.lanes), *self._shard)
        if since_ns is None:
            stage, missed = rest_of(stage, self._progress.done), 0
        else:
            now_ns = time.perf_counter_ns() - since_ns
            rest = [[job for job in lane if job.id not in self._progress.done] for lane in stage.lanes]
            stage = replace(stage, lanes=tuple(_still_due(lane, now_ns) for lane in rest))
            missed = sum(map(len, rest)) - sum(map(len, stage.lanes))
        return Part(stage, tuple(lane for lane in stage.lanes if lane)), missed

    async def _tell_counts(self, runner: Runner) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            if told := self._counts.take():
                _tell({"counts": told, "tally": asdict(runner.tally)})


def _still_due(lane: Sequence[Job], now_ns: int) -> tuple[Job, ...]:
    """The jobs of a lane whose session has begun, or is yet to come."""
    missed = {job.sample for job in lane if job.due_ns is not None and job.due_ns < now_ns}
    return tuple(job for job in lane if job.sample not in missed)


def _tell(what: JsonObject) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _lines() -> AsyncIterator[JsonObject]:
    """The lines of standard input as they come."""
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)
