"""A worker that nobody conducts: it meets the others at a place, carries out its share part by part, and says so there.

The measuring is done by a process of its own, the same that ``harness load --workers`` starts; this one waits, sends
parcels and listens for who wants it to end, so that none of that disturbs a time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from harness.errors import CannotMeasure, HarnessError
from harness.record.folder import RunFolder
from harness.run.conduct import STOPPING, interruptible
from harness.run.observers.wall import Anchor
from harness.run.planning.plan import Plan
from harness.run.planning.stages import parts
from harness.run.tally import Budget, Tally
from harness.run.workers.executor import Local, LocalSpoken
from harness.run.workers.meeting import Begin, Meeting
from harness.run.workers.parcels import Parcels
from harness.run.workers.shares import refuse_indivisible, share
from harness.types import JsonObject

_SAY_EVERY_S = 2.0
_READY_S = 60.0
_LATE_NS = 1_000_000_000
"""Who comes so late to the beginning of a part has missed some of it."""


class Ended(NamedTuple):
    """How it ended."""

    tally: Tally
    stopped: str | None


@dataclass(slots=True)
class Foreman:
    """One worker."""

    folder: RunFolder
    plan: Plan
    shard: int
    of: int
    meeting: Meeting
    executor: Local
    tell: Callable[[str], None]
    start_at: datetime | None = None
    """When the first part begins; None: when all are there."""
    patience_s: float = 600.0
    """How long the others are waited for at the beginning of a part."""
    parcels: Parcels | None = None
    """None: the journal is at the place already."""
    _spoken: LocalSpoken | None = None
    _heard: asyncio.Queue[JsonObject] = field(default_factory=asyncio.Queue)
    _stopped: str | None = None
    _state: JsonObject = field(default_factory=dict)
    _failures: Counter[str] = field(default_factory=Counter)

    async def work(self) -> Ended:
        """Carry out this worker's share.

        Raises:
            UsageError: a limit cannot be divided among so many workers.
            CannotMeasure: the measuring process did not start, or ended in the middle.
            StoreError: the place cannot be written.
        """
        refuse_indivisible(self.plan, self.of)
        self._state = {"shard": self.shard, "of": self.of, "phase": "starting", "facts": [], "jobs": 0, "missed": 0}
        async with interruptible(self._stop, self._break_off), self._process():
            async with self._telling():
                await self._parts()
            self._state["phase"] = "stopped" if self._stopped else "done"
        self._say()
        return Ended(self._tally, self._stopped)

    @property
    def _tally(self) -> Tally:
        return Tally(**self._state["tally"]) if "tally" in self._state else Tally()

    async def _parts(self) -> None:
        for number, part in enumerate(parts(self.plan.stages)):
            name = part.lanes[0][0].id
            begun = self._told(number)
            if begun is None or not self._late(begun):
                await self._prepare(name)
                begun = await self._wait(number)
            if begun is None or self._stopped is not None:
                return
            if self._late(begun):
                await self._prepare(name, since_ns=_monotonic(begun))
            self._state |= {"phase": "carrying", "part": number, "stage": part.stage.name}
            assert self._spoken is not None
            self._spoken.tell(do="carry", part=name, began_ns=_monotonic(begun))
            await self._until("done", name)

    async def _prepare(self, name: str, **since: int) -> None:
        assert self._spoken is not None
        self._spoken.tell(do="prepare", part=name, **since)
        said = await self._until("prepared", name)
        self._state["missed"] += said["missed"]

    def _told(self, number: int) -> Begin | None:
        """When a part begins, where that is known already."""
        if number == 0 and self.start_at is not None:
            self.meeting.fix(0, self.start_at)
        return self.meeting.told(number)

    def _late(self, begun: Begin) -> bool:
        """Whether the others began without this worker, or before it came back."""
        return time.perf_counter_ns() - _monotonic(begun) > _LATE_NS

    async def _wait(self, number: int) -> Begin | None:
        """Until it is known when a part begins; None: told to stop meanwhile."""
        self._state |= {"phase": "waiting", "part": number}
        self.meeting.ready(number)
        give_up_ns = time.perf_counter_ns() + round(self.patience_s * 1e9)
        while self._stopped is None:
            patient = time.perf_counter_ns() < give_up_ns
            if (found := await asyncio.to_thread(self.meeting.begin, number, patient=patient)) is not None:
                if found.without:
                    self.tell(f"part {number} begins without shards {', '.join(map(str, found.without))}")
                return found
            await asyncio.sleep(self.meeting.look_s)
        return None

    async def _until(self, word: str, name: str) -> JsonObject:
        while (said := await self._heard.get()).get(word) != name:
            if "gone" in said:
                assert self._spoken is not None
                self._state |= {"phase": "lost", "lost": said["gone"]}
                with suppress(HarnessError):
                    self._say()
                raise CannotMeasure(
                    f"the measuring process of shard {self.shard} ended in the middle ({said['gone']})",
                    hint=f"See {self._spoken.log}; the same command goes on with the shard",
                )
        return said

    # --- the measuring process ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[None]:
        spoken = self._spoken = await self.executor.start(self.folder, self.shard, self.of)
        listener = asyncio.create_task(self._listen(spoken))
        try:
            try:
                async with asyncio.timeout(_READY_S):
                    said = await self._heard.get()
            except TimeoutError:
                said = {"gone": f"it said nothing within {_READY_S:g} s"}
            if "ready" not in said:
                raise CannotMeasure(
                    f"the measuring process of shard {self.shard} did not start ({said.get('gone')})",
                    hint=f"See {spoken.log}",
                )
            self._state |= {name: said[name] for name in ("host", "clock", "session")} | {"pid": said["ready"]}
            planned = sum(1 for _ in share(self.plan, self.shard, self.of).jobs)
            self._state["planned"] = planned
            # Nobody counts for all: with a bound on requests each has what its share of the plan needs, and no more.
            most = None if self.plan.selection.max_requests is None else planned
            spoken.tell(budget=asdict(Budget(max_requests=most)), planned=planned)
            if self.parcels is None:
                yield
            else:
                with self.parcels.going():
                    yield
                    await spoken.dismiss(_READY_S)  # its last lines are to go too
        finally:
            await spoken.dismiss(_READY_S)
            listener.cancel()

    async def _listen(self, spoken: LocalSpoken) -> None:
        async for said in spoken.lines():
            if "tally" in said:
                self._state["tally"] = said["tally"]
            if "counts" in said:
                self._state["jobs"] += said["counts"]["jobs"]
                self._failures.update(said["counts"]["failures"])
                self._state["failures"] = dict(self._failures)
            if "facts" in said:
                self._state["facts"].append(said["facts"])
            if not said.keys() & {"counts", "facts"}:
                self._heard.put_nowait(said)
        self._heard.put_nowait({"gone": await spoken.gone()})

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Say now and then how far this worker is, and listen whether all shall end."""

        async def tell() -> None:
            while True:
                try:
                    await asyncio.to_thread(self._say)
                    if self._stopped is None and await asyncio.to_thread(self.meeting.stopped):
                        self._tell_stop("told to stop")
                    if self.parcels is not None and self.parcels.problem is not None:
                        self.tell(f"shard {self.shard}: {self.parcels.problem}; it is kept in {self.folder.root}")
                except HarnessError as error:
                    self.tell(str(error))
                await asyncio.sleep(_SAY_EVERY_S)

        task = asyncio.create_task(tell())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _say(self) -> None:
        self.meeting.say({**self._state, "said": datetime.now(UTC).isoformat(timespec="milliseconds")})

    def _stop(self) -> bool:
        if self._stopped is not None:
            return False
        self.tell(STOPPING)
        self._tell_stop("interrupted")
        return True

    def _tell_stop(self, why: str) -> None:
        self._stopped = self._stopped or why
        if self._spoken is not None:
            self._spoken.tell(stop=why)

    def _break_off(self) -> None:
        if self._spoken is not None:
            self._spoken.tell(abort=True)


def _monotonic(begin: Begin) -> int:
    """A moment of the calendar on this host's monotonic clock."""
    now = Anchor()
    return now.mono_ns + round((begin.at - now.wall).total_seconds() * 1e9)
