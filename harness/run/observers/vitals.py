"""How the measuring process itself is: the event loop's lag and the processor time, window by window.

Every 5 ms the loop is expected at a planned time; how much later it comes is its lag, which is what a send waits, and a
read too where the kernel stamps nothing. Times at which the loop was expected during a stall count with what they
waited, although only one callback comes: leaving them out would make a stall of 200 ms look like one late tick among
forty (coordinated omission: Gil Tene, "How NOT to Measure Latency", 2015).
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.record.folder import storing
from harness.wire.alarm import Alarm

TICK_NS = 5_000_000
WINDOW_NS = 100_000_000


class Vitals:
    """Appends a line of JSON to ``path`` for each 100 ms of the loop's life between ``start`` and ``stop``.

    ``at_ns``: end of the window, ``window_ns``: its length, longer where the loop was blocked, so that the windows
    cover the time without a gap; ``lag_max_ns``, ``lag_sum_ns`` and ``lag_n``: of the ticks that were due in it;
    ``cpu_ns``: processor time of the process since ``start``, all threads. Times are ``perf_counter_ns``.
    In a loop that wakes up a thousand times a second this costs 0.2 to 0.5 % of a processor; an idle one pays for 200
    wake-ups a second, 1 to 2 % on a small virtual machine, half of it the bare waking.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._alarm: Alarm | None = None
        self._file = -1
        self._cpu_ns = self._due_ns = self._window_began_ns = self._window_ends_ns = 0
        self._lag_max_ns = self._lag_sum_ns = self._lag_n = 0
        self.problem: str | None = None
        """Why lines are missing; None: none are."""

    def start(self) -> None:
        """Begin to sample; errors: StoreError when the file cannot be written."""
        with storing(self._path):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._alarm = Alarm(self._loop)
        now_ns = time.perf_counter_ns()
        self._cpu_ns = time.process_time_ns()
        self._begin(now_ns)
        self._plan(now_ns + TICK_NS)

    def stop(self) -> None:
        """Write the window that is open, and end; a second call does nothing."""
        if self._alarm is None:
            return
        self._alarm.close()
        self._alarm = None
        now_ns = time.perf_counter_ns()
        self._note(now_ns)  # a stall that lasts until now is seen too
        self._end(now_ns)
        os.close(self._file)

    def cut(self) -> None:
        """End the window that is open, so that what begins now is not blamed for what was before."""
        now_ns = time.perf_counter_ns()
        self._note(now_ns)
        self._end(now_ns)
        self._begin(now_ns)

    def _tick(self) -> None:
        now_ns = time.perf_counter_ns()
        self._note(now_ns)
        if now_ns >= self._window_ends_ns:
            self._end(now_ns)
            self._begin(now_ns)
        self._plan(self._due_ns)

    def _plan(self, due_ns: int) -> None:
        self._due_ns = due_ns
        if self._alarm is not None:
            self._alarm.at(due_ns, self._tick)

    def _note(self, now_ns: int) -> None:
        """Count every tick that was due by now, the missed ones with what they waited."""
        lag_ns = now_ns - self._due_ns
        if lag_ns < 0:
            return
        missed = lag_ns // TICK_NS
        self._lag_n += missed + 1
        self._lag_sum_ns += (missed + 1) * lag_ns - TICK_NS * (missed * (missed + 1) // 2)
        self._lag_max_ns = max(self._lag_max_ns, lag_ns)
        self._due_ns += (missed + 1) * TICK_NS

    def _begin(self, now_ns: int) -> None:
        self._window_began_ns = now_ns
        self._window_ends_ns = now_ns + WINDOW_NS
        self._lag_max_ns = self._lag_sum_ns = self._lag_n = 0

    def _end(self, now_ns: int) -> None:
        line = b'{"at_ns":%d,"window_ns":%d,"lag_max_ns":%d,"lag_sum_ns":%d,"lag_n":%d,"cpu_ns":%d}\n' % (
            now_ns,
            now_ns - self._window_began_ns,
            self._lag_max_ns,
            self._lag_sum_ns,
            self._lag_n,
            time.process_time_ns() - self._cpu_ns,
        )
        try:
            os.write(self._file, line)
        except OSError as error:  # the journal ends a run that has no disk; to watch it must not
            self.problem = f"{self._path.name}: {error.strerror or error}"


@contextmanager
def quiet_gc() -> Iterator[Callable[[], int]]:
    """Keep the cyclic collector from running by itself; gives a function that runs it, for between two stages.

    A collection of the oldest generation goes through every object of the process: with the SDK and the store loaded
    31,000, for which the loop stands still for 14 ms, and with answers kept for many more and longer, at a time nobody
    chose. What exists now, and what is left after each call of the function, is frozen, so that such a call only looks
    at what one stage made. The function returns how many unreachable objects it found. Requests leave no cycles behind,
    connections some ten objects each, so that memory does not grow without it.

    At the end the collector is as it was before: on or off, and nothing frozen that was not.
    """
    was_on, frozen = gc.isenabled(), gc.get_freeze_count()

    def collect() -> int:
        found = gc.collect()
        gc.freeze()
        return found

    gc.disable()
    collect()
    try:
        yield collect
    finally:
        if not frozen:  # there is no unfreezing of a part: what somebody froze before stays so, with ours
            gc.unfreeze()
        if was_on:
            gc.enable()
