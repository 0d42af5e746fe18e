"""The measuring process watches itself: its loop's lag, its processor time, its collector."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StoreError
from harness.run.observers.vitals import TICK_NS, WINDOW_NS, Vitals, quiet_gc
from harness.wire.loop import run

MS = 1_000_000


def watched(path: Path, live: Callable[[asyncio.AbstractEventLoop], None], seconds: float) -> list[dict[str, int]]:
    """The windows of a loop that lives for so long."""

    async def go() -> None:
        loop = asyncio.get_running_loop()
        vitals = Vitals(path, loop)
        vitals.start()
        live(loop)
        await asyncio.sleep(seconds)
        vitals.stop()
        vitals.stop()
        assert vitals.problem is None

    run(go())
    return [json.loads(line) for line in path.read_text().splitlines()]


def busy(ms: int) -> int:
    """Hold the processor; the time at which that began."""
    began_ns = time.perf_counter_ns()
    while time.perf_counter_ns() < began_ns + ms * MS:
        pass
    return began_ns


def test_windows_cover_the_time_without_a_gap(tmp_path: Path) -> None:
    """Each window begins where the one before ended; ticks and processor time are counted."""
    rows = watched(tmp_path / "v.jsonl", lambda loop: None, 0.35)
    assert all(set(row) == {"at_ns", "window_ns", "lag_max_ns", "lag_sum_ns", "lag_n", "cpu_ns"} for row in rows)
    for before, after in itertools.pairwise(rows):
        assert after["at_ns"] - after["window_ns"] == before["at_ns"]
        assert after["cpu_ns"] >= before["cpu_ns"]
    assert all(row["window_ns"] >= WINDOW_NS for row in rows[:-1])
    spent = sum(row["window_ns"] for row in rows)
    assert sum(row["lag_n"] for row in rows) == pytest.approx(spent / TICK_NS, abs=2)
    assert all(row["lag_sum_ns"] <= row["lag_n"] * row["lag_max_ns"] for row in rows)


def test_a_stall_is_seen_in_its_window(tmp_path: Path) -> None:
    """A callback that holds the loop for 200 ms is a lag of that size in the window that holds it, tick by tick."""
    stalls: list[int] = []
    spent_ns: list[int] = []

    def stall() -> None:
        before_ns = time.process_time_ns()
        stalls.append(busy(200))
        spent_ns.append(time.process_time_ns() - before_ns)

    rows = watched(tmp_path / "v.jsonl", lambda loop: loop.call_later(0.15, stall) and None, 0.5)
    (hit,) = [row for row in rows if row["at_ns"] - row["window_ns"] <= stalls[0] < row["at_ns"]]
    assert stalls[0] + 200 * MS <= hit["at_ns"]
    assert hit["lag_max_ns"] >= 150 * MS
    assert hit["lag_n"] >= 39
    assert hit["lag_sum_ns"] >= 39 * 90 * MS, "the mean of lags that fall from 200 ms to 0 is half of that"
    assert rows[-1]["cpu_ns"] >= spent_ns[0]


def test_a_stall_until_the_end_is_seen(tmp_path: Path) -> None:
    """Stopping right after a stall does not lose it."""
    rows: list[dict[str, Any]] = []

    async def go() -> None:
        vitals = Vitals(tmp_path / "v.jsonl", asyncio.get_running_loop())
        vitals.start()
        await asyncio.sleep(0.02)
        busy(60)
        vitals.stop()

    run(go())
    rows += [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert rows[-1]["lag_max_ns"] >= 50 * MS


def test_a_sitting_appends(tmp_path: Path) -> None:
    """A second sitting of the same shard adds its windows to those there are."""
    first = watched(tmp_path / "v.jsonl", lambda loop: None, 0.03)
    assert watched(tmp_path / "v.jsonl", lambda loop: None, 0.03)[: len(first)] == first


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The error names the file, before anything is measured."""

    async def go() -> None:
        Vitals(tmp_path / "missing" / "v.jsonl", asyncio.get_running_loop()).start()

    with pytest.raises(StoreError, match=r"v\.jsonl does not exist"):
        run(go())


def test_the_collector_is_quiet_and_comes_back() -> None:
    """Inside nothing collects by itself, cycles are found when asked for, and afterwards all is as before."""
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    with quiet_gc() as collect:
        assert not gc.isenabled()
        assert gc.get_freeze_count() > frozen
        for _ in range(1000):
            ring: list[Any] = []
            ring.append(ring)
        del ring
        assert collect() >= 1000
        with quiet_gc():
            pass
        assert not gc.isenabled(), "an inner one switched it on"
        assert gc.get_freeze_count() > frozen
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_the_collector_comes_back_after_an_error() -> None:
    """A load that breaks off leaves the collector as it was."""
    with pytest.raises(RuntimeError, match="broke"), quiet_gc():
        raise RuntimeError("broke")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
