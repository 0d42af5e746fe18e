"""Planned times are met, never early, and what a stall made late is released and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from harness.run.pace import CATCH_UP_NS, LATE_NS, Pacer
from harness.wire.alarm import Alarm
from harness.wire.loop import run

MS = 1_000_000


def paced(due_ms: Sequence[float], *, stall_at: int = -1, stall_ms: int = 0) -> tuple[Pacer, list[float], list[str]]:
    """Release at due times after the start, blocking the loop before one of them; slips in ms, and what ran when."""

    async def go() -> tuple[Pacer, list[float], list[str]]:
        alarm = Alarm(asyncio.get_running_loop())
        pacer, slips, seen = Pacer(alarm), [], []

        async def job(number: int) -> None:
            seen.append(f"job {number}")

        start_ns = time.perf_counter_ns() + MS
        async with asyncio.TaskGroup() as group:
            for number, due in enumerate(due_ms):
                due_ns = start_ns + round(due * MS)
                if number == stall_at:
                    time.sleep(stall_ms / 1000)  # noqa: ASYNC251 - the stall
                slips.append((await pacer.until(due_ns) - due_ns) / MS)
                seen.append(f"released {number}")
                group.create_task(job(number))
        alarm.close()
        return pacer, slips, seen

    return run(go())


def test_nothing_is_released_early() -> None:
    """Each wake-up is at its time or after it, whatever the distance."""
    pacer, slips, _ = paced([0, 0.01, 0.03, 0.3, 2, 2, 5, 5.04])
    assert all(slip >= 0 for slip in slips)
    assert pacer.n == 8


def test_a_stall_is_caught_up_with_and_counted() -> None:
    """After 60 ms of nothing everything overdue is released at its place, late by what it is, and none is dropped."""
    pacer, slips, seen = paced([*range(0, 60, 5), 200], stall_at=1, stall_ms=60)
    assert pacer.n == 13
    assert [word for word in seen if word.startswith("released")] == [f"released {number}" for number in range(13)]
    assert slips[1] >= 54
    assert pacer.late_max_ns / MS == max(slips)
    assert pacer.late_n == sum(slip * MS > LATE_NS for slip in slips) >= 8
    assert pacer.caught_up_n == sum(slip * MS > CATCH_UP_NS for slip in slips) >= 7


def test_what_is_released_begins_before_the_next_release() -> None:
    """In a burst of overdue arrivals each request is sent before the next is released: the loop is not held."""
    _, _, seen = paced([0, 0, 0, 0], stall_at=0, stall_ms=5)
    assert [word for word in seen if word.startswith("job")] == [f"job {number}" for number in range(4)]
    for number in range(3):
        assert seen.index(f"job {number}") < seen.index(f"released {number + 1}")


def test_who_waits_may_be_cancelled() -> None:
    """A release that was cancelled is not counted, and its time passes without harm."""

    async def go() -> int:
        alarm = Alarm(asyncio.get_running_loop())
        pacer = Pacer(alarm)
        waiting = asyncio.create_task(pacer.until(time.perf_counter_ns() + 5 * MS))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await pacer.until(time.perf_counter_ns() + 8 * MS)
        alarm.close()
        return pacer.n

    assert run(go()) == 1
