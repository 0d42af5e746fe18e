"""A run by several processes: each carries out its share of the one plan, all begin together.

The plan is made once and dealt out by index, so what is asked when does not depend on how many processes ask it. A
stage begins for all at one named time: processes of one machine share its monotonic clock, those of others are told the
time in their own, by an offset that was measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from harness import __version__
from harness.errors import CannotMeasure
from harness.record.folder import RunFolder
from harness.run.arrivals import Closed
from harness.run.conduct import STOPPING, Company, Conducted, Onward, interruptible, scraped, targets, watched
from harness.run.observers.scrape import Scraper
from harness.run.planning.plan import Plan
from harness.run.planning.stages import Part, Stage, parts
from harness.run.tally import Budget, Facts, Tally
from harness.run.workers.clocks import Offset, here, measured
from harness.run.workers.executor import Executor, Local, Spoken
from harness.run.workers.shards import Shard
from harness.run.workers.shares import refuse_indivisible, share
from harness.types import JsonObject, RunStatus
from harness.wire.proxy import is_local

_READY_S = 60.0
_LEAD_NS = 50_000_000
"""From the word to the beginning: long enough for the word to have reached everybody on this machine."""
_FAR_LEAD_NS = 500_000_000
"""And everybody on others."""
_PER_WORKER = 512
"""Streams under way that one process is given where nobody says how many processes there are to be."""


def default_workers(plan: Plan) -> int:
    """Processes for a plan: one as long as it can do it, never more than the cores beside the server's."""
    most = max((_under_way(stage) for stage in plan.stages if stage.kind == "load"), default=0)
    return max(1, min((os.cpu_count() or 1) // 2, -(-most // _PER_WORKER)))


def _under_way(stage: Stage) -> int:
    if isinstance(stage.law, Closed):
        return stage.law.concurrency
    # An open law has no bound of its own: what is due in its busiest second stands for it.
    seconds = Counter(job.due_ns // 1_000_000_000 for job in stage.lanes[0] if job.due_ns is not None)
    return max(seconds.values(), default=1)


@dataclass(slots=True)
class _Hand:
    """One process of the crew."""

    spoken: Spoken
    shard: Shard
    offset: Offset = field(default_factory=lambda: Offset(0, 0, 0))
    tally: Tally = field(default_factory=Tally)
    heard: asyncio.Queue[JsonObject] = field(default_factory=asyncio.Queue)

    @property
    def lost(self) -> bool:
        return self.shard.lost is not None


class Crew:
    """The processes of one run, and what they have told."""

    def __init__(self, folder: RunFolder, company: Company) -> None:
        self._folder = folder
        self._company = company
        self._executor: Executor = company.executor or Local(company.providers_file)
        self._hands: list[_Hand] = []
        self._listeners: list[asyncio.Task[None]] = []
        self._stopped: str | None = None
        self._near: list[str] = []
        """Endpoints whose address is that of whichever machine asks."""
        self.facts: list[Facts] = []

    async def conduct(self, plan: Plan, onward: Onward) -> Conducted:
        """Carry out a plan, and what follows from it.

        A process that is lost in the middle takes its share with it: the others go on to the end of the plan, and the
        run is ``partial``.

        Raises:
            UsageError: a limit cannot be divided among so many processes.
            CannotMeasure: a process did not start, or none is left.
        """
        refuse_indivisible(plan, self._company.workers)
        self._near = [
            name
            for name, one in plan.endpoints.items()
            if is_local(urlsplit(one.provider.base_url or "").hostname or "")
        ]
        scraper = Scraper(targets(plan.endpoints.values()), self._folder.server_path)
        async with (
            interruptible(self._stop, self._break_off, self._company.bell),
            watched(self._company.look, self._tell_stop),
            scraped(scraper if plan.loads and self._company.scrape else None),
        ):
            try:
                await self._start()
                self._keep_duration()
                self._share_budget(plan)
                await self._carry_out(plan)
                # What was measured decides on what follows, and a part of it is missing where somebody was lost.
                while self._going and (more := await asyncio.to_thread(onward)) is not None:
                    self._tell_all(replan=True)
                    await self._carry_out(more)
            finally:
                await self._dismiss()
        lost = any(hand.lost for hand in self._hands)
        status: RunStatus = "interrupted" if self._stopped else "partial" if lost else "finished"
        shards = [hand.shard for hand in self._hands]
        return Conducted(status, self.tally, tuple(self.facts), scraper.problems, shards=shards)

    @property
    def tally(self) -> Tally:
        """Of all processes together."""
        total = Tally(stopped=self._stopped)
        for hand in self._hands:
            total.plus(hand.tally)
        return total

    @property
    def _going(self) -> bool:
        return self._stopped is None and not any(hand.lost for hand in self._hands)

    @property
    def _there(self) -> list[_Hand]:
        return [hand for hand in self._hands if not hand.lost]

    # --- stages ----------------------------------------------------------------------------------------------

    async def _carry_out(self, plan: Plan) -> None:
        self._company.watcher.planned(sum(1 for _ in plan.jobs))
        for part in parts(plan.stages):
            if self._stopped is not None:
                break
            self._company.watcher.stage(part.stage)
            await self._carry(part)

    async def _carry(self, part: Part) -> None:
        name = part.lanes[0][0].id
        self._tell_all(do="prepare", part=name)
        await self._all_say("prepared", name)
        lead_ns = _LEAD_NS if self._executor.shared else _FAR_LEAD_NS
        began_ns = time.perf_counter_ns() + lead_ns
        for hand in self._there:
            hand.spoken.tell(do="carry", part=name, began_ns=began_ns + hand.offset.offset_ns)
        await self._all_say("done", name)
        if not self._executor.shared:
            for hand in self._there:
                await self._read_clock(hand)
        if not self._there:
            raise CannotMeasure(
                f"every worker was lost in the middle: {self._hands[0].shard.lost}",
                hint=f"What was measured is kept; see {self._hands[0].spoken.log}",
            )

    async def _all_say(self, word: str, name: str) -> None:
        """Wait until every process that is still there has said that it is so far."""
        for hand in self._there:
            while (said := await hand.heard.get()).get(word) != name:
                if "gone" in said:
                    self._lose(hand, said["gone"])
                    break

    def _lose(self, hand: _Hand, how: str) -> None:
        hand.shard.lost = how
        hand.shard.lost_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._company.watcher.told(
            f"worker {hand.shard.shard} of {len(self._hands)} on {hand.shard.host} was lost ({how}); the others go on "
            f"without its share. See {hand.spoken.log}"
        )

    def _hear(self, hand: _Hand, said: JsonObject) -> None:
        if "tally" in said:
            hand.tally = Tally(**said["tally"])
            if hand.tally.stopped is not None and self._stopped is None:
                self._tell_stop(f"{hand.tally.stopped} by process {hand.shard.shard}'s part of it")
        if "counts" in said:
            counts = said["counts"]
            self._company.watcher.counted(counts["jobs"], counts["again"], counts["failures"])
        if "facts" in said:
            facts = said["facts"]
            self.facts.append(Facts(**{**facts, "endpoints": tuple(facts["endpoints"])}))
        if not said.keys() & {"counts", "facts"}:
            hand.heard.put_nowait(said)

    def _keep_duration(self) -> None:
        budget = self._company.budget
        if budget.max_duration_s is not None:
            asyncio.get_running_loop().call_later(budget.max_duration_s, self._tell_stop, budget.time_is_up)

    def _share_budget(self, plan: Plan) -> None:
        """Give each process its part of what may be spent; the first that has none left ends the run for all.

        Time is kept here, for all of them.
        """
        of = len(self._hands)
        planned = [sum(1 for _ in share(plan, number, of).jobs) for number in range(of)]
        for hand, budget in zip(self._hands, budgets(self._company.budget, planned), strict=True):
            hand.spoken.tell(budget=asdict(budget), planned=planned[hand.shard.shard])

    # --- processes -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        of = self._company.workers

        async def start(number: int) -> None:
            spoken = await self._executor.start(self._folder, number, of)
            hand = _Hand(spoken, Shard(number, of))
            self._hands.append(hand)  # at once: whoever was started is dismissed, although another could not be
            self._listeners.append(asyncio.create_task(self._listen(hand)))

        async with asyncio.TaskGroup() as group:
            for number in range(of):
                group.create_task(start(number))
        self._hands.sort(key=lambda hand: hand.shard.shard)
        try:
            async with asyncio.timeout(_READY_S):
                for hand in self._hands:
                    await self._greet(hand)
        except TimeoutError:
            raise CannotMeasure(f"the processes of the load were not ready within {_READY_S:g} s") from None

    async def _greet(self, hand: _Hand) -> None:
        """Wait until a process is there, see that it is fit, and set its clock beside ours."""
        said = await hand.heard.get()
        number, shard = hand.shard.shard, hand.shard
        if "ready" not in said:
            raise CannotMeasure(
                f"process {number} of the load did not start ({said.get('gone')})", hint=f"See {hand.spoken.log}"
            )
        if said["version"] != __version__:
            raise CannotMeasure(
                f"worker {number} on {said['host']} has harness {said['version']}, this one is {__version__}",
                hint="Install one version on all nodes",
            )
        shard.host, shard.pid, shard.session, shard.clock = (
            said[name] for name in ("host", "ready", "session", "clock")
        )
        if self._near and not self._executor.shared and shard.host != here()["host"]:
            raise CannotMeasure(
                f"worker {number} on {shard.host} would ask its own machine: {self._near[0]} is at this one's loopback",
                hint="Give it a base_url that all nodes can reach",
            )
        if self._executor.shared:
            shard.clock = here()["clock"] or "this machine's"
        else:
            await self._read_clock(hand)

    async def _read_clock(self, hand: _Hand) -> None:
        """Measure how a far clock stands; clocks drift, so that it is done before the first part and after each.

        What is measured is stored although one clock may be shared: it shows what the measuring is worth.
        """
        with suppress(CannotMeasure):  # its node is gone, which is told elsewhere
            found = await measured(hand.spoken.now_ns)
            hand.shard.measured(found)
            if hand.shard.clock is None or hand.shard.clock != here()["clock"]:
                hand.offset = found

    async def _listen(self, hand: _Hand) -> None:
        async for said in hand.spoken.lines():
            self._hear(hand, said)
        hand.heard.put_nowait({"gone": await hand.spoken.gone()})

    async def _dismiss(self) -> None:
        """End every process and wait until it is gone."""
        async with asyncio.TaskGroup() as group:
            for hand in self._hands:
                group.create_task(hand.spoken.dismiss(_READY_S))
        for task in self._listeners:
            task.cancel()
        await self._executor.close()

    def _tell_all(self, **what: object) -> None:
        for hand in self._there:
            hand.spoken.tell(**what)

    def _stop(self) -> bool:
        if self._stopped is not None:
            return False
        self._company.announce(STOPPING)
        self._tell_stop("interrupted")
        return True

    def _tell_stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        self._tell_all(stop=why)

    def _break_off(self) -> None:
        self._tell_all(abort=True)


def budgets(whole: Budget, planned: Iterable[int]) -> list[Budget]:
    """What each process may spend of a budget; ``planned`` are the requests of each.

    Together they spend no more than the whole. Time is kept for all together. Of the requests each has what its share
    of the plan needs, and an equal part of what is over for trying again.
    """
    counts = list(planned)
    of, most = len(counts), whole.max_requests
    over = 0 if most is None else max(0, most - sum(counts))
    return [
        Budget(
            None if whole.max_cost_usd is None else whole.max_cost_usd / of,
            None,
            None if most is None else count + over // of + (number < over % of),
            None if whole.max_tokens is None else whole.max_tokens // of + (number < whole.max_tokens % of),
        )
        for number, count in enumerate(counts)
    ]
