"""Callbacks at absolute times of ``perf_counter_ns``, on Linux to some ten microseconds.

The event loops count timers in whole milliseconds, which would make a schedule of 8 ms between tokens visibly uneven.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from itertools import count

_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_ABSOLUTE = 1


class _Timer(ctypes.Structure):
    """``struct itimerspec``: interval, then expiry, each in seconds and nanoseconds."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class Alarm:
    """One timer for all callbacks of a loop, earliest first; callbacks due at the same time run in turn.

    Everything that is due runs once before the loop looks at its sockets again, so a callback that always asks for
    the present moment starves nobody.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._armed_ns = 0
        """0: nothing is armed; -1: the next turn of the loop rings."""
        self._ringing = False
        self._fallback: asyncio.TimerHandle | None = None
        self._timer = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._timer = self._libc.timerfd_create(_MONOTONIC, _FLAGS)
        if self._timer >= 0:
            loop.add_reader(self._timer, self._ring)

    def at(self, due_ns: int, callback: Callable[[], None]) -> None:
        """Call back at ``due_ns`` of perf_counter_ns, or as soon as possible when that is past."""
        heapq.heappush(self._heap, (due_ns, next(self._order), callback))
        if not self._ringing:
            self._arm()

    def close(self) -> None:
        """Forget every callback."""
        self._heap.clear()
        if self._fallback is not None:
            self._fallback.cancel()
        if self._timer >= 0:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)
            self._timer = -1

    def _ring(self) -> None:
        if self._timer >= 0:
            # Reading resets the timer, which the loop would call for again and again.
            with contextlib.suppress(BlockingIOError):
                os.read(self._timer, 8)
        self._armed_ns = 0
        now, due = time.perf_counter_ns(), []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        self._ringing = True
        try:
            for callback in due:
                callback()
        finally:
            self._ringing = False
            self._arm()

    def _arm(self) -> None:
        if not self._heap or self._armed_ns == -1:
            return
        due = self._heap[0][0]
        if self._armed_ns and self._armed_ns <= due:
            return
        if due <= time.perf_counter_ns():
            self._armed_ns = -1
            self._loop.call_soon(self._ring)
        elif self._timer >= 0:
            self._armed_ns = due
            spec = _Timer(0, 0, *divmod(due, 1_000_000_000))
            self._libc.timerfd_settime(self._timer, _ABSOLUTE, ctypes.byref(spec), None)
        else:
            self._armed_ns = due
            if self._fallback is not None:
                self._fallback.cancel()
            self._fallback = self._loop.call_later((due - time.perf_counter_ns()) * 1e-9, self._ring)
