"""The engine's batch: so many requests decode at once, others wait in the order they came (M/G/k, first in first out).

Times are those of the schedule: a place is free when the last token of its answer was due, not when the loop found the
time to say so. What the loop is late by never adds up.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator

from harness.simulator.profile import Profile


class Seat:
    """One request's place in the batch, or in the queue before it."""

    __slots__ = ("_batch", "_left", "granted_ns", "left_early", "produced", "prompt", "read_ns", "wake")

    def __init__(self, batch: Batch, read_ns: int, prompt: int) -> None:
        self._batch, self.read_ns, self.prompt = batch, read_ns, prompt
        self.granted_ns: int | None = None
        """When its prefill began; None: it waits."""
        self.produced = 0
        """Output tokens so far."""
        self.wake: Callable[[], None] | None = None
        """Called when it is granted after a wait."""
        self.left_early: Callable[[int], bool] | None = None
        """Asked once when it is given up; True: it is kept, and given up later."""
        self._left = False

    def leave(self, at_ns: int) -> None:
        """Give the place, or the wait, up; a second call does nothing."""
        asked, self.left_early = self.left_early, None
        if not self._left and not (asked is not None and asked(at_ns)):
            self._left = True
            self._batch.left(self, at_ns)

    @property
    def left(self) -> bool:
        """Whether it was given up."""
        return self._left

    @property
    def running(self) -> int:
        """Requests that decode now, this one included."""
        return len(self._batch.seats)


class Batch:
    """All seats; ``slots`` None: there is always one free."""

    def __init__(self, slots: int | None, queue_limit: int | None = None) -> None:
        self.seats: set[Seat] = set()
        self._slots, self._limit = slots, queue_limit
        self._queue: deque[Seat] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether another request would find neither a place nor a place in the queue."""
        waits = self._slots is not None and len(self.seats) >= self._slots
        return waits and self._limit is not None and len(self._queue) >= self._limit

    def enter(self, read_ns: int, prompt: int) -> Seat:
        """A seat for a request that was read just now."""
        seat = Seat(self, read_ns, prompt)
        if self._slots is None or len(self.seats) < self._slots:
            self._grant(seat, read_ns)
        else:
            self._queue.append(seat)
        return seat

    def left(self, seat: Seat, at_ns: int) -> None:
        """A seat was given up: the next in the queue takes its place."""
        if seat not in self.seats:
            self._queue.remove(seat)
            return
        self.seats.discard(seat)
        if self._queue:
            heir = self._queue.popleft()
            self._grant(heir, max(at_ns, heir.read_ns))
            if heir.wake is not None:
                heir.wake()

    def tokens(self) -> int:
        """Prompt and output tokens that are held for requests in the batch."""
        return sum(seat.prompt + seat.produced for seat in self.seats)

    def _grant(self, seat: Seat, at_ns: int) -> None:
        seat.granted_ns = at_ns
        self.seats.add(seat)


def offsets_ns(profile: Profile, tokens: int, rng: random.Random, prefill_ns: float = 0.0) -> list[int]:
    """When each token is due, in ns after the request was read; rising, ``tokens`` long."""
    ttft, itl, sigma = profile.ttft_ms * 1e6 + prefill_ns, profile.itl_ms * 1e6, profile.jitter
    if not sigma:
        return [round(ttft + k * itl) for k in range(tokens)]
    due, at = [], ttft * rng.lognormvariate(0, sigma)
    for _ in range(tokens):
        due.append(round(at))
        at += itl * rng.lognormvariate(0, sigma)
    return due


def live_ns(profile: Profile, seat: Seat, rng: random.Random, prefill_ns: float = 0.0) -> Iterator[int]:
    """The same without end, for a batch: from when the seat was granted, each gap as long as the batch is full then."""
    itl, sigma, slowdown = profile.itl_ms * 1e6, profile.jitter, profile.batch_slowdown
    assert seat.granted_ns is not None
    at = seat.granted_ns - seat.read_ns + (profile.ttft_ms * 1e6 + prefill_ns) * _factor(rng, sigma)
    while True:
        yield round(at)
        at += itl * (1 + slowdown * (seat.running - 1)) * _factor(rng, sigma)


def _factor(rng: random.Random, sigma: float) -> float:
    return rng.lognormvariate(0, sigma) if sigma else 1.0
