"""The one loop: jobs at their times, through the limits, over the wire, into the journal.

Quality, tools, probes and loads differ only in their arrival law. Nothing is scored here: an attempt is journalled
as it happened, and judged later.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

from harness.exchange import Completion, FailureKind, Outcome
from harness.provider import Price
from harness.record.journal import Journal
from harness.run import session
from harness.run.admission.admit import Admission
from harness.run.admission.breaker import GIVEN_UP
from harness.run.admission.cache import Answers
from harness.run.arrivals import Closed
from harness.run.ends import Ends, nothing
from harness.run.later import Later
from harness.run.pace import Pacer
from harness.run.planning.following import Following
from harness.run.planning.plan import Plan
from harness.run.planning.stages import Part, Stage, at_once, over, parts
from harness.run.tally import Before, Budget, Facts, Tally, Watcher
from harness.store.ready import Ready
from harness.types import Attempt, Job, Request
from harness.wire.alarm import Alarm
from harness.wire.pool import Pool
from harness.wire.transport import Client
from harness.wire.understand import understand

_TURN_FAILED = "an earlier turn of its session failed"
_OVER = "its session was over before"
_LEAD_NS = 5_000_000
"""An open law begins so long after its stage: its first arrival is as well prepared as the others."""
_BUILT_AHEAD = 20_000
"""Requests of a lane that are built before its clock runs: encoding a body is not the server's time."""

Session = list[tuple[Job, Request]]
"""The turns of one session, or a single request; a later turn's request is still without what was said before it."""


class Runner:
    """Carries out plans; one for all stages of a sitting."""

    def __init__(
        self,
        plan: Plan,
        clients: Mapping[str, Client],
        journal: Journal,
        watcher: Watcher,
        prices: Mapping[str, Price | None],
        budget: Budget = Budget(),  # noqa: B008 - frozen
        before: Before = Before(),  # noqa: B008 - frozen
    ) -> None:
        """Bring the collaborators together.

        Args:
            plan: what is still to be asked.
            clients: by endpoint id.
            journal: where every attempt goes first.
            watcher: told of every attempt after it is journalled.
            prices: by endpoint id, for the budget and the tally.
            budget: when to stop asking.
            before: what earlier sittings of this run left.
        """
        self._plan = plan
        self._clients = clients
        self._journal = journal
        self._watcher = watcher
        self._prices = prices
        self._tried = before.tried
        self._said = before.said
        self._following = Following(before.answered, before.answers)
        self.admission = Admission(plan.endpoints, prices, budget, watcher.told)
        self._waiting: set[asyncio.Task[None]] = set()
        """Tasks with nothing under way: they may be told to stop at any time."""
        self._pacer: Pacer | None = None
        self._later = Later(self._understand)
        self._ends = Ends(lambda: self.tally.stopped)
        self._under_way = self._reads = self._most = 0
        self.settle: Callable[[], None] = lambda: None
        """Called when a part is prepared, right before its clock runs."""
        self.ready: Ready | None = None
        """Where the rows of what ends are made; None: nowhere."""
        self.answers: Answers | None = None
        """Answers of earlier runs that are taken in place of asking; None: all is asked."""
        self.tally = Tally()
        self.facts: list[Facts] = []

    async def run(self, plan: Plan | None = None) -> Tally:
        """Carry out every stage in order, of the plan given in the beginning or of one that goes on from it.

        On cancellation what is under way is closed and journalled as cancelled.
        """
        self._plan = plan or self._plan
        planned = sum(1 for _ in self._plan.jobs)
        self._watcher.planned(planned)
        self._watcher.follow(lambda: self.tally)
        self.admission.spending.begin(planned)
        with self.admission.spending.in_time(self.stop):
            for part in parts(self._plan.stages):
                if self._exhausted():
                    break
                self._watcher.stage(part.stage)
                sessions = await self.prepare(part)
                lead_ns = 0 if isinstance(part.stage.law, Closed) else _LEAD_NS
                await self.carry(part, sessions, time.perf_counter_ns() + lead_ns)
        return self.tally

    async def prepare(self, part: Part) -> list[Iterator[Session]]:
        """Build a part's requests and open its connections; gives the sessions of each lane."""
        ready = [self._sessions(lane) for lane in part.lanes]
        for lane in part.lanes:
            await self._warm(part.stage, lane)
        self.settle()
        return ready

    async def carry(self, part: Part, sessions: Sequence[Iterator[Session]], began_ns: int) -> Facts:
        """Carry out one part; ``began_ns`` is the time that its planned arrivals count from."""
        stage, alarm = part.stage, Alarm(asyncio.get_running_loop())
        self._pacer = Pacer(alarm)
        self._reads = self._most = 0
        cpu_ns = time.process_time_ns()
        try:
            async with asyncio.TaskGroup() as group:
                for lane in sessions:
                    if isinstance(stage.law, Closed):
                        for place in range(stage.law.concurrency):
                            group.create_task(self._user(stage, stage.law, place, lane, began_ns))
                    else:
                        group.create_task(self._arrivals(stage, lane, began_ns, group))
        finally:
            alarm.close()
            self._later.rest()
            self.admission.rest()
        facts = Facts(
            stage=stage.name,
            endpoints=tuple(lane[0].endpoint for lane in part.lanes),
            began_ns=began_ns,
            ended_ns=time.perf_counter_ns(),
            cpu_ns=time.process_time_ns() - cpu_ns,
            reads=self._reads,
            in_flight_max=self._most,
            released=self._pacer.n,
            late=self._pacer.late_n,
            caught_up=self._pacer.caught_up_n,
            late_max_ns=self._pacer.late_max_ns,
            renewals=tuple({one for each in self._clients.values() for one in each.renewals if one[1] > began_ns}),
        )
        self.facts.append(facts)
        return facts

    def stop(self, why: str) -> None:
        """Ask nothing more; what is under way is waited for, and ``run`` then returns."""
        self.tally.stopped = self.tally.stopped or why
        for task in list(self._waiting):
            task.cancel()

    # --- lanes -----------------------------------------------------------------------------------------------

    def _sessions(self, lane: Sequence[Job]) -> Iterator[Session]:
        """The lane's sessions, the first many of them with their requests built already."""
        built = (
            [(job, self._plan.request(job)) for job in turns]
            for _, turns in itertools.groupby(lane, key=lambda job: (job.task, job.sample, job.repeat))
        )
        return itertools.chain(list(itertools.islice(built, _BUILT_AHEAD)), built)

    async def _warm(self, stage: Stage, lane: Sequence[Job]) -> None:
        """Open a load's connections beforehand: in an open law the dialling would delay those that come first."""
        if stage.kind != "load" or lane[0].turn:
            return
        limit = self._plan.endpoints[lane[0].endpoint].provider.limits.concurrency
        wanted = min(at_once(stage, lane), len(lane), limit or len(lane))
        await self._client(lane[0]).prewarm(wanted, self._plan.request(lane[0]))

    async def _user(self, stage: Stage, law: Closed, place: int, sessions: Iterator[Session], began_ns: int) -> None:
        """One place of a closed loop: session after session, until none is left or the time is up."""
        assert self._pacer is not None
        with self._may_stop():
            await self._pacer.until(began_ns + round(law.ramp_s * 1e9 * place / law.concurrency))
        for turns in sessions:
            sched_ns = time.perf_counter_ns()
            if self._exhausted() or over(stage, began_ns, sched_ns):
                return
            await self._session(stage, turns, sched_ns)
            if stage.think_s:
                await self._think(stage, turns[-1][0])

    async def _arrivals(
        self, stage: Stage, sessions: Iterator[Session], began_ns: int, group: asyncio.TaskGroup
    ) -> None:
        """An open law: sessions at their times, whatever became of those before.

        The timer itself begins a session: through a waiting task it would be one turn of the loop later, and a turn
        reads every socket that has something.
        """
        pacer, running = self._pacer, asyncio.get_running_loop()
        through = running.create_future()
        assert pacer is not None

        def next_one() -> None:
            if through.done():  # told to stop meanwhile
                return
            try:
                turns = next(sessions, None)
            except Exception as error:  # noqa: BLE001 - a task's code may raise anything; nobody else hears a timer
                through.set_exception(error)
                return
            if turns is None:
                through.set_result(None)
                return
            sched_ns = began_ns + (turns[0][0].due_ns or 0)
            pacer.at(sched_ns, partial(begin, turns, sched_ns))

        def begin(turns: Session, sched_ns: int) -> None:
            if through.done():  # told to stop meanwhile
                return
            if self._exhausted():
                if not through.done():
                    through.set_result(None)
                return
            group.create_task(self._session(stage, turns, sched_ns))
            running.call_soon(next_one)  # once that session has begun

        next_one()
        with self._may_stop():
            await through

    @contextmanager
    def _may_stop(self) -> Iterator[None]:
        """While nothing of the current task is under way, ``stop`` may end it."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    async def _think(self, stage: Stage, job: Job) -> None:
        draw = random.Random(f"{self._plan.selection.seed}/think/{job.id}")  # noqa: S311 - a draw, not a secret
        with self._may_stop():
            await asyncio.sleep(draw.expovariate(1 / stage.think_s))

    # --- one session -----------------------------------------------------------------------------------------

    async def _session(self, stage: Stage, turns: Session, sched_ns: int) -> None:
        """Turn after turn, each with what was answered before; where one fails, the later ones cannot be asked."""
        first, planned = turns[0]
        if isinstance(opening := self._following.request(self._plan, first, planned), str):
            self._give_up(turns, opening)
            return
        turns[0] = first, opening
        said = [self._said[name] for name in session.earlier_turns(first) if name in self._said]
        if len(said) < first.turn:
            self._give_up(turns, _TURN_FAILED)
            return
        for place, (job, planned) in enumerate(turns):
            if place:
                if stage.think_s:
                    await self._think(stage, job)
                sched_ns = time.perf_counter_ns()
            if said and self._plan.over(job, said):
                self._give_up(turns[place:], _OVER, "unneeded")
                return
            request = self._plan.request(job, said) if job.turn and said else planned
            if job.kind == "load" and place + 1 == len(turns):
                await self._last(job, request, sched_ns)
                return
            completion = await self._job(job, request, sched_ns)
            if completion is None:
                if not self._exhausted():
                    self._give_up(turns[place + 1 :], _TURN_FAILED)
                return
            if place + 1 < len(turns):
                said.append(session.answer(completion))

    async def _last(self, job: Job, request: Request, sched_ns: int) -> None:
        """A load's request whose answer nothing waits for, and which is never retried: what it says has time."""
        attempt = await self._attempt(job, self._tried.get(job.id, 0), request, sched_ns)
        if attempt is None:
            return
        self._later.add(attempt)
        if self.admission.spending.waits:
            self._later.rest()  # what it cost decides whether the next one is asked

    def _give_up(self, turns: Session, why: str, kind: FailureKind = "unasked", number: int | None = None) -> None:
        """Say of each turn why it was not asked, so that every planned request has its end.

        Where its endpoint was given up, that is why. ``number`` is that of the try; None: the first of this sitting.
        """
        for job, planned in turns:
            if kind == "unasked" and (gone := self.admission.given_up(job.endpoint)) is not None:
                why = f"{GIVEN_UP}{gone}"
            now_ns = time.perf_counter_ns()
            request = replace(planned, body=None) if kind == "unneeded" else planned  # there are many of them
            exchange = nothing(kind, why)
            tried = self._tried.get(job.id, 0) if number is None else number
            attempt = Attempt(job, tried, request, exchange, now_ns, now_ns, 0)
            self._journal.append(attempt)
            self._record(attempt, understand(attempt), again=False)

    async def _job(self, job: Job, request: Request, sched_ns: int) -> Completion | None:
        """Try until it is over; the completion, None: it failed, or was not asked any more."""
        for number in itertools.count(self._tried.get(job.id, 0)):
            attempt = await self._attempt(job, number, request, sched_ns)
            if attempt is None:
                return None
            outcome = understand(attempt)
            delay_s = self._plan.retry_delay_s(attempt, outcome)
            if delay_s is not None and not self.admission.spending.may_retry():
                delay_s = None
            self._record(attempt, outcome, again=delay_s is not None)
            if delay_s is None or self._exhausted():
                return outcome.completion if outcome.ok else None
            with self._may_stop():
                await asyncio.sleep(delay_s)
            sched_ns = time.perf_counter_ns()
        return None

    async def _attempt(self, job: Job, number: int, request: Request, sched_ns: int) -> Attempt | None:
        """Send once; None: nothing was sent, since the run was stopped meanwhile or the endpoint given up."""
        provider = self._plan.endpoints[job.endpoint].provider
        if self.answers is not None and (kept := self.answers.find(provider, job, request)) is not None:
            now_ns = time.perf_counter_ns()
            return self._journal.append(Attempt(job, number, request, kept, sched_ns, now_ns, 0))
        with self._may_stop():
            in_flight = await self.admission.enter(job, request)
        if in_flight is None:
            if not self._exhausted():
                self._give_up([(job, request)], "", number=number)
            return None
        try:
            self._under_way += 1
            self._most = max(self._most, self._under_way)
            admit_ns = time.perf_counter_ns()
            try:
                exchange = await self._client(job).send(request, prepared=job.kind != "probe", give_up_s=job.give_up_s)
            except asyncio.CancelledError:
                exchange = nothing("cancelled", "the run was stopped while this request was under way")
                self._journal.append(Attempt(job, number, request, exchange, sched_ns, admit_ns, in_flight))
                raise
            finally:
                self._under_way -= 1
        finally:
            self.admission.leave(job)
        if exchange.failure is not None:
            exchange = await self._ends.told_apart(provider, exchange, admit_ns)
        self._reads += len(exchange.reads)
        attempt = Attempt(job, number, request, exchange, sched_ns, admit_ns, in_flight)
        # The journal comes first: what was paid for is on disk before anything is made of it.
        return self._journal.append(attempt)

    def _client(self, job: Job) -> Client:
        return self._clients[job.endpoint]

    def _understand(self, attempt: Attempt) -> None:
        self._record(attempt, understand(attempt), again=False)

    def _record(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        self.tally.add(attempt, outcome, self._prices[attempt.job.endpoint], again=again)
        self.admission.done(attempt, outcome, again=again)
        if self.answers is not None and outcome.ok:
            self.answers.keep(self._plan.endpoints[attempt.job.endpoint].provider, attempt)
        if self.ready is not None:
            self.ready.add(attempt, outcome)
        if not again:
            self._following.keep(self._plan, attempt, outcome)
        self._watcher.finished(attempt, outcome, again=again)

    def _exhausted(self) -> bool:
        """Whether nothing more is asked; who waits for anything is then told so."""
        if self.tally.stopped is None and (why := self.admission.spending.reached()) is not None:
            self.stop(why)
        return self.tally.stopped is not None


@asynccontextmanager
async def closing(clients: Mapping[str, Client], pool: Pool) -> AsyncIterator[None]:
    """Close every client and its connections at the end."""
    try:
        yield
    finally:
        for client in set(clients.values()):
            await client.aclose()
        await pool.aclose()
