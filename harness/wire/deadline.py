"""One timer for the deadlines of all connections of a pool: a request that ends in time costs no timer of its own.

Deadlines are kept in slots of a few milliseconds. Whoever is already watched for an earlier slot stays there, is looked
at when that is over, and then says anew how long it may sleep.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol

SLOT_NS = 4_000_000
"""A deadline is seen up to this much late, never early."""


class Watched(Protocol):
    """What can be looked at."""

    slot: int
    """Where the wheel keeps it; the wheel's own, -1 at first."""

    def look(self) -> None:
        """The time has come, or came earlier than it needed to."""


class Wheel:
    """Calls ``look`` of whatever it watches once its time is over, and forgets it before that."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, set[Watched]] = {}
        self._order: list[int] = []
        """Heap of slots, those given up meanwhile among them."""
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def watch(self, one: Watched, due_ns: int) -> None:
        """Look at ``one`` when ``due_ns`` of perf_counter_ns is over, or earlier."""
        slot = due_ns // SLOT_NS + 1
        if 0 <= one.slot <= slot:
            return
        self.forget(one)
        there = self._slots.get(slot)
        if there is None:
            there = self._slots[slot] = set()
            heapq.heappush(self._order, slot)
            if self._timer is None or slot < self._armed:
                self._arm()
        there.add(one)
        one.slot = slot

    def forget(self, one: Watched) -> None:
        """Do not look at ``one`` any more."""
        if one.slot < 0:
            return
        there = self._slots[one.slot]
        there.discard(one)
        if not there:
            del self._slots[one.slot]
        one.slot = -1

    def close(self) -> None:
        """Look at nothing any more."""
        for there in self._slots.values():
            for one in there:
                one.slot = -1
        self._slots.clear()
        self._order.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = self._order[0]
        left_ns = self._armed * SLOT_NS - time.perf_counter_ns()
        self._timer = self._loop.call_later(max(left_ns, 0) / 1e9, self._ring)

    def _ring(self) -> None:
        self._timer = None
        # The loop's timers tick in milliseconds and may ring a little early; what is not over yet waits for the next.
        now = time.perf_counter_ns() // SLOT_NS
        try:
            while self._order and self._order[0] <= now:
                there = self._slots.pop(heapq.heappop(self._order), set())
                for one in there:
                    one.slot = -1
                for one in there:
                    one.look()
        finally:
            if self._order and self._timer is None:
                self._arm()
