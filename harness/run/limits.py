"""What may be sent now: the user's limits, the server's Retry-After, and the only place where a retry is decided.

Every wait happens outside the timed part of a request and is recorded as ``admit_ns - sched_ns``.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from asyncio_throttle.throttler import Throttler

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.exchange import Failure, FailureKind
    from harness.types import Job, Limits

RETRYABLE: frozenset[FailureKind] = frozenset(
    {"throttled", "overloaded", "http_5xx", "reset", "connect", "timeout_connect", "truncated", "inband_error"}
)
"""Kinds that another try may mend. A refused request is not among them: it would only be refused again."""
_NOT_IMPLEMENTED = 501
"""A refusal too, though its number is a server's error."""

MAX_TRIES = 3
MAX_WAIT_S = 30.0
_MINUTE_S = 60.0


def retry_delay_s(job: Job, number: int, failure: Failure) -> float | None:
    """Seconds to wait before the job is tried again; None: it is not.

    Loads are never retried, since a retry would hide the failure from the latency that users see. Waits double from
    half a second with jitter drawn from the job's id, so that a plan's waits can be reproduced; a server's
    Retry-After is obeyed up to ``MAX_WAIT_S``.
    """
    mendable = failure.kind in RETRYABLE and failure.status != _NOT_IMPLEMENTED
    if job.kind == "load" or not mendable or number + 1 >= MAX_TRIES:
        return None
    if failure.retry_after_s is not None:
        return min(failure.retry_after_s, MAX_WAIT_S)
    jitter = random.Random(f"{job.id}#{number}").uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy
    return float(0.5 * 2**number * jitter)


class TokenBudget:
    """At most ``per_minute`` tokens in any minute, by estimate, in order of asking."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._spent: deque[tuple[float, int]] = deque()

    async def take(self, tokens: int) -> None:
        """Wait until ``tokens`` fit; one larger than the whole budget goes alone."""
        tokens = min(tokens, self._per_minute)
        while True:
            now = time.monotonic()
            while self._spent and now - self._spent[0][0] > _MINUTE_S:
                self._spent.popleft()
            if sum(spent for _, spent in self._spent) + tokens <= self._per_minute:
                self._spent.append((now, tokens))
                return
            await asyncio.sleep(self._spent[0][0] + _MINUTE_S - now + 0.001)


class Limiter:
    """The gate of one provider, shared by all its endpoints."""

    def __init__(self, limits: Limits) -> None:
        self._slots = asyncio.Semaphore(limits.concurrency) if limits.concurrency else None
        self._requests = Throttler(limits.requests_per_minute, period=_MINUTE_S) if limits.requests_per_minute else None
        self._tokens = TokenBudget(limits.tokens_per_minute) if limits.tokens_per_minute else None
        # One waiter at a time: the throttler polls, and a thousand pollers would be the load.
        self._turn = asyncio.Lock()
        self.in_flight: Counter[str] = Counter()

    async def enter(self, endpoint: str, tokens: Callable[[], int]) -> int:
        """Wait for a place to ask ``endpoint``; gives the number then under way on it, this one included.

        ``tokens`` estimates what the request will use, prompt and answer; it is called only where tokens are limited.
        Each place taken is given back by ``leave``.
        """
        if self._slots:
            await self._slots.acquire()
        try:
            if self._requests or self._tokens:
                async with self._turn:
                    if self._requests:
                        await self._requests.acquire()  # type: ignore[no-untyped-call]  # the package ships no signature
                    if self._tokens:
                        await self._tokens.take(tokens())
        except BaseException:
            if self._slots:
                self._slots.release()
            raise
        self.in_flight[endpoint] += 1
        return self.in_flight[endpoint]

    def leave(self, endpoint: str) -> None:
        """Give a place back."""
        self.in_flight[endpoint] -= 1
        if self._slots:
            self._slots.release()
