"""A load by several processes on this machine: each carries out its share of the one plan, all begin together.

The plan is made once and dealt out by index, so what is asked when does not depend on how many processes ask it. All
processes of a machine share one monotonic clock, so a stage begins for all at one named time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from harness.errors import CannotMeasure
from harness.folder import RunFolder
from harness.run.arrivals import Closed
from harness.run.conduct import STOPPING, Company, Conducted, Onward, interruptible, scraped, targets, watched
from harness.run.plan import Plan
from harness.run.scrape import Scraper
from harness.run.stages import Stage, parts
from harness.run.tally import Facts, Tally
from harness.types import JsonObject, RunStatus

_READY_S = 60.0
_LEAD_NS = 50_000_000
"""From the word to the beginning: long enough for the word to have reached everybody."""
_PER_WORKER = 512
"""Streams under way that one process is given where nobody says how many processes there are to be."""
_MAX_LINE = 1 << 20


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

    number: int
    process: asyncio.subprocess.Process
    tally: Tally = field(default_factory=Tally)
    heard: asyncio.Queue[JsonObject] = field(default_factory=asyncio.Queue)

    def tell(self, **what: object) -> None:
        assert self.process.stdin is not None
        if not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(what).encode() + b"\n")


class Crew:
    """The processes of one load, and what they have told."""

    def __init__(self, folder: RunFolder, company: Company) -> None:
        self._folder = folder
        self._company = company
        self._hands: list[_Hand] = []
        self._listeners: list[asyncio.Task[None]] = []
        self._stopped: str | None = None
        self.facts: list[Facts] = []

    async def conduct(self, plan: Plan, onward: Onward) -> Conducted:
        """Carry out a plan, and what follows from it.

        Raises:
            CannotMeasure: a process did not start, or ended in the middle; the rest is told to stop first.
        """
        scraper = Scraper(targets(plan.endpoints.values()), self._folder.server_path)
        async with (
            interruptible(self._stop, self._break_off, self._company.bell),
            watched(self._company.look, self._tell_stop),
            scraped(scraper if self._company.scrape else None),
        ):
            try:
                await self._start()
                self._keep_duration()
                self._share_budget()
                done = await self._carry_out(plan, 0)
                while self._stopped is None and (more := await asyncio.to_thread(onward)) is not None:
                    for hand in self._hands:
                        hand.tell(replan=True)
                    done = await self._carry_out(more, done)
            finally:
                await self._dismiss()
        status: RunStatus = "interrupted" if self._stopped else "finished"
        return Conducted(status, self.tally, tuple(self.facts), scraper.problems)

    @property
    def tally(self) -> Tally:
        """Of all processes together."""
        total = Tally(stopped=self._stopped)
        for hand in self._hands:
            total.plus(hand.tally)
        return total

    # --- stages ----------------------------------------------------------------------------------------------

    async def _carry_out(self, plan: Plan, first: int) -> int:
        """The parts of a plan, the first of which has the number ``first``; gives the number after the last."""
        self._company.watcher.planned(sum(1 for _ in plan.jobs))
        found = parts(plan.stages)
        for number, part in enumerate(found, first):
            if self._stopped is not None:
                break
            self._company.watcher.stage(part.stage)
            for hand in self._hands:
                hand.tell(do="prepare", part=number)
            await self._all_say("prepared", number)
            began_ns = time.perf_counter_ns() + _LEAD_NS
            for hand in self._hands:
                hand.tell(do="carry", part=number, began_ns=began_ns)
            await self._all_say("done", number)
        return first + len(found)

    async def _all_say(self, word: str, number: int) -> None:
        """Wait until every process has said that it is so far."""
        for hand in self._hands:
            while (said := await hand.heard.get()).get(word) != number:
                if "gone" in said:
                    raise CannotMeasure(
                        f"process {hand.number} of the load ended in the middle (exit code {said['gone']})",
                        hint=f"What was measured is kept; see {self._folder.root}/worker-{hand.number}.log",
                    )

    def _hear(self, hand: _Hand, said: JsonObject) -> None:
        if "tally" in said:
            hand.tally = Tally(**said["tally"])
            if hand.tally.stopped is not None and self._stopped is None:
                self._tell_stop(f"{hand.tally.stopped} by process {hand.number}'s part of it")
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

    def _share_budget(self) -> None:
        """Give each process its part of what may be spent; the first that has none left ends the load for all.

        Time is kept here, for all of them.
        """
        budget, of = self._company.budget, len(self._hands)
        for hand in self._hands:
            hand.tell(budget=asdict(budget.part(hand.number, of)))

    # --- processes -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        for number in range(self._company.workers):
            argv = [
                sys.executable,
                "-m",
                "harness",
                "worker",
                str(self._folder.root),
                f"--shard={number}/{self._company.workers}",
            ]
            if self._company.providers_file is not None:
                argv += ["--providers", str(self._company.providers_file)]
            with (self._folder.root / f"worker-{number}.log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    limit=_MAX_LINE,
                    start_new_session=True,  # an interrupt of the terminal reaches us alone, and we tell them
                )
            hand = _Hand(number, process)
            self._hands.append(hand)
            self._listeners.append(asyncio.create_task(self._listen(hand)))
        try:
            async with asyncio.timeout(_READY_S):
                for hand in self._hands:
                    said = await hand.heard.get()
                    if "ready" not in said:
                        raise CannotMeasure(
                            f"process {hand.number} of the load did not start (exit code {said.get('gone')})",
                            hint=f"See {self._folder.root}/worker-{hand.number}.log",
                        )
        except TimeoutError:
            raise CannotMeasure(f"the processes of the load were not ready within {_READY_S:g} s") from None

    async def _listen(self, hand: _Hand) -> None:
        assert hand.process.stdout is not None
        while line := await hand.process.stdout.readline():
            self._hear(hand, json.loads(line))
        hand.heard.put_nowait({"gone": await hand.process.wait()})

    async def _dismiss(self) -> None:
        """End every process and wait until it is gone."""
        for hand in self._hands:
            assert hand.process.stdin is not None
            hand.process.stdin.close()
        for hand in self._hands:
            try:
                async with asyncio.timeout(_READY_S):
                    await hand.process.wait()
            except TimeoutError:
                hand.process.kill()
        for task in self._listeners:
            task.cancel()

    def _stop(self) -> bool:
        if self._stopped is not None:
            return False
        self._company.announce(STOPPING)
        self._tell_stop("interrupted")
        return True

    def _tell_stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        for hand in self._hands:
            hand.tell(stop=why)

    def _break_off(self) -> None:
        for hand in self._hands:
            hand.tell(abort=True)
