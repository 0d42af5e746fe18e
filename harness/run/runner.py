"""The one loop: jobs at their times, through the limits, over the wire, into the journal.

Quality, tools, probes and loads differ only in their arrival law. Nothing is scored here: an attempt is journalled
as it happened, and judged later.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from harness.journal import Journal
from harness.prices import cost_usd
from harness.request import allowance
from harness.run.arrivals import Closed, Law, offsets_ns
from harness.run.limits import Limiter, retry_delay_s
from harness.run.plan import Plan, Stage
from harness.types import Attempt, Exchange, Failure, Job, Outcome, Price, Request, WireMarks
from harness.wire.assemble import assemble
from harness.wire.pool import Pool
from harness.wire.transport import Client

_CHARS_PER_TOKEN = 4
"""For the token budget's estimate of a prompt alone; never for a reported count."""


class Watcher(Protocol):
    """What wants to hear how the run goes; it must be quick, for it is called on the event loop."""

    def planned(self, jobs: int) -> None:
        """So many jobs are to be carried out."""

    def stage(self, stage: Stage) -> None:
        """A stage begins."""

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt was journalled; ``again``: its job will be tried once more."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop asking; None: no such bound. What is under way then is finished."""

    max_cost_usd: float | None = None
    max_duration_s: float | None = None


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    jobs: int = 0
    failed: int = 0
    """Jobs whose last attempt failed."""
    attempts: int = 0
    cost_usd: float = 0.0
    """Of the attempts whose cost is known."""
    stopped: str | None = None
    """Why the run ended before its plan; None: it did not."""


class Runner:
    """Carries out one plan."""

    def __init__(
        self,
        plan: Plan,
        clients: Mapping[str, Client],
        journal: Journal,
        watcher: Watcher,
        prices: Mapping[str, Price | None],
        budget: Budget = Budget(),
        tried: Mapping[str, int] | None = None,
    ) -> None:
        """Bring the collaborators together.

        Args:
            plan: what is still to be asked.
            clients: by provider id.
            journal: where every attempt goes first.
            watcher: told of every attempt after it is journalled.
            prices: by endpoint id, for the budget alone.
            budget: when to stop asking.
            tried: attempts that an earlier sitting of this run already journalled, by job id.
        """
        self._plan = plan
        self._clients = clients
        self._journal = journal
        self._watcher = watcher
        self._prices = prices
        self._budget = budget
        self._tried = tried or {}
        self._limiters = {e.provider.id: Limiter(e.provider.limits) for e in plan.endpoints.values()}
        self._started_ns = 0
        self.tally = Tally()

    async def run(self) -> Tally:
        """Carry out every stage in order; on cancellation what is under way is closed and journalled as cancelled."""
        self._started_ns = time.perf_counter_ns()
        self._watcher.planned(sum(1 for _ in self._plan.jobs))
        for stage in self._plan.stages:
            if not any(stage.lanes) or self._exhausted():
                continue
            self._watcher.stage(stage)
            if stage.together:
                async with asyncio.TaskGroup() as group:
                    for lane in stage.lanes:
                        group.create_task(self._lane(lane, stage.law))
            else:
                for lane in stage.lanes:
                    await self._lane(lane, stage.law)
        return self.tally

    async def _lane(self, jobs: Sequence[Job], law: Law) -> None:
        gate = _Gate(law, self._plan.selection.seed)
        # Built before the clock matters: encoding a body is not the server's time.
        prepared = [(job, self._plan.request(job)) for job in jobs]
        async with asyncio.TaskGroup() as group:
            for job, request in prepared:
                sched_ns = await gate.next()
                if self._exhausted():
                    gate.release()
                    return
                group.create_task(self._job(job, request, sched_ns, gate))

    def _exhausted(self) -> bool:
        spent_s = (time.perf_counter_ns() - self._started_ns) / 1e9
        if self._budget.max_duration_s is not None and spent_s >= self._budget.max_duration_s:
            self.tally.stopped = f"--max-duration {self._budget.max_duration_s:g} s was reached"
        if self._budget.max_cost_usd is not None and self.tally.cost_usd >= self._budget.max_cost_usd:
            self.tally.stopped = f"--max-cost {self._budget.max_cost_usd:g} USD was reached"
        return self.tally.stopped is not None

    async def _job(self, job: Job, request: Request, sched_ns: int, gate: _Gate) -> None:
        try:
            for number in itertools.count(self._tried.get(job.id, 0)):
                came = await self._attempt(job, number, request, sched_ns)
                if came is None:
                    return
                attempt, outcome = came
                delay_s = retry_delay_s(job, number, outcome.failure) if outcome.failure else None
                self._record(attempt, outcome, again=delay_s is not None)
                if delay_s is None:
                    return
                await asyncio.sleep(delay_s)
                sched_ns = time.perf_counter_ns()
        finally:
            gate.release()

    async def _attempt(self, job: Job, number: int, request: Request, sched_ns: int) -> tuple[Attempt, Outcome] | None:
        """Send once; None: nothing was sent, the budget ran out while the request waited for its turn."""
        endpoint = self._plan.endpoints[job.endpoint]
        limiter = self._limiters[endpoint.provider.id]
        client = self._clients[endpoint.provider.id]
        async with limiter.admitted(endpoint.id, _tokens(request)) as in_flight:
            if self._exhausted():
                return None
            admit_ns = time.perf_counter_ns()
            try:
                exchange = await client.send(request, prepared=job.kind == "load")
            except asyncio.CancelledError:
                exchange = _cancelled()
                self._journal.append(Attempt(job, number, request, exchange, sched_ns, admit_ns, in_flight))
                raise
        attempt = Attempt(job, number, request, exchange, sched_ns, admit_ns, in_flight)
        # The journal comes first: what was paid for is on disk before anything is made of it.
        self._journal.append(attempt)
        return attempt, assemble(exchange, stream=request.stream)

    def _record(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        self.tally.attempts += 1
        usage = outcome.completion.usage if outcome.completion else None
        self.tally.cost_usd += cost_usd(usage, self._prices[attempt.job.endpoint]) or 0.0
        if not again:
            self.tally.jobs += 1
            self.tally.failed += not outcome.ok and attempt.job.kind != "probe"
        self._watcher.finished(attempt, outcome, again=again)


class _Gate:
    """Lets jobs through under an arrival law."""

    def __init__(self, law: Law, seed: int) -> None:
        self._slots = asyncio.Semaphore(law.concurrency) if isinstance(law, Closed) else None
        self._offsets: Iterator[int] = iter(()) if isinstance(law, Closed) else offsets_ns(law, seed)
        self._origin_ns: int | None = None

    async def next(self) -> int:
        """Wait for the next admission; gives its planned time in ns."""
        if self._slots:
            await self._slots.acquire()
            return time.perf_counter_ns()
        if self._origin_ns is None:
            self._origin_ns = time.perf_counter_ns()
        due_ns = self._origin_ns + next(self._offsets)
        # An absolute due time: a late wake-up is not passed on to the next one. The loop's timers tick in milliseconds
        # and may ring half a one early, and nobody is to be asked before the time.
        while (left_ns := due_ns - time.perf_counter_ns()) > 0:  # noqa: ASYNC110 - the event is the time itself
            await asyncio.sleep(left_ns / 1e9)
        return due_ns

    def release(self) -> None:
        """A job is over."""
        if self._slots:
            self._slots.release()


def _tokens(request: Request) -> int:
    return len(request.body or b"") // _CHARS_PER_TOKEN + (allowance(request) or 0)


def _cancelled() -> Exchange:
    failure = Failure("cancelled", "the run was stopped while this request was under way")
    return Exchange(WireMarks(), None, (), (), "user", reused=False, failure=failure)


@asynccontextmanager
async def closing(clients: Mapping[str, Client], pool: Pool) -> AsyncIterator[None]:
    """Close every client and its connections at the end."""
    try:
        yield
    finally:
        for client in clients.values():
            await client.aclose()
        await pool.aclose()
