"""One timer for many deadlines."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from harness.wire import loop
from harness.wire.deadline import SLOT_NS, Wheel

MS = 1_000_000


class Sleeper:
    """Notes when it is looked at, and may sleep again."""

    def __init__(self, wheel: Wheel, *dues: int) -> None:
        self.slot = -1
        self.seen: list[int] = []
        self._wheel = wheel
        self._dues = list(dues)

    def look(self) -> None:
        """The time has come."""
        self.seen.append(time.perf_counter_ns())
        self.sleep()

    def sleep(self) -> None:
        """Until the next of its times."""
        if self._dues:
            self._wheel.watch(self, self._dues.pop(0))


@pytest.fixture(params=[loop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def test_nobody_is_woken_early_or_forgotten(run: Any) -> None:
    """Everybody is looked at once for each time it asked for, never before that time, in whatever order they came."""

    async def main() -> None:
        wheel = Wheel(asyncio.get_running_loop())
        now = time.perf_counter_ns()
        dues = [[now + (40 + n * 37 % 50) * MS, now + (95 + n % 7) * MS] for n in range(100)]
        sleepers = [Sleeper(wheel, *each) for each in dues]
        for sleeper in sleepers:
            sleeper.sleep()
        await asyncio.sleep(0.2)
        for sleeper, (first, second) in zip(sleepers, dues, strict=True):
            assert len(sleeper.seen) == 2
            assert sleeper.seen[0] >= first
            assert sleeper.seen[1] >= second
        assert (wheel._slots, wheel._order, wheel._timer) == ({}, [], None)

    run(main())


def test_a_later_time_costs_nothing() -> None:
    """Whoever is watched for an earlier time stays there: the next request of a connection makes no new entry."""

    async def main() -> None:
        wheel = Wheel(asyncio.get_running_loop())
        sleeper = Sleeper(wheel)
        now = time.perf_counter_ns()
        for later in range(1000):
            wheel.watch(sleeper, now + 60_000 * MS + later * SLOT_NS)
        assert len(wheel._slots) == len(wheel._order) == 1
        wheel.watch(sleeper, now + 30_000 * MS)
        assert len(wheel._slots) == 1, "an earlier one replaces it"
        wheel.forget(sleeper)
        wheel.forget(sleeper)
        assert wheel._slots == {}
        wheel.close()

    loop.run(main())


def test_close() -> None:
    """A closed wheel looks at nobody."""

    async def main() -> None:
        wheel = Wheel(asyncio.get_running_loop())
        sleeper = Sleeper(wheel, time.perf_counter_ns() + 5 * MS)
        sleeper.sleep()
        wheel.close()
        await asyncio.sleep(0.03)
        assert (sleeper.seen, sleeper.slot) == ([], -1)

    loop.run(main())
