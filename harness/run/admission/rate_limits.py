"""What may be sent now: the user's limits, a server's Retry-After, and the only place where a retry is decided.

Every wait happens outside the timed part of a request and is recorded as ``admit_ns - sched_ns``.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncio_throttle.throttler import Throttler

from harness.run.admission.day import Day

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.exchange import Failure, FailureKind
    from harness.provider import Limits, Provider
    from harness.types import Job

RETRYABLE: frozenset[FailureKind] = frozenset(
    {"throttled", "overloaded", "http_5xx", "reset", "connect", "timeout_connect", "truncated", "inband_error"}
)
"""Kinds that another try may mend. A refused request is not among them: it would only be refused again."""
_GARBLED: frozenset[FailureKind] = frozenset({"bad_json", "bad_sse", "bad_http"})
"""Answers that came and are none: another try may bring a whole one. To a probe such an answer is what it came for."""
_NOT_IMPLEMENTED = 501
"""A refusal too, though its number is a server's error."""
_TIMED_OUT = 408
"""A server's error, though its number is a refusal's. Source: RFC 9110 section 15.5.9."""

MAX_TRIES = 3
MAX_TRIES_THROTTLED = 6
"""Who was told to come back later was not asked in vain, and many may be told so at the same moment."""
MAX_WAIT_S = 60.0
"""Limits are most often per minute, so a minute mends what can be mended by waiting."""
_MINUTE_S = 60.0
_POLL_SHARE = 1 / 1200
"""The throttler looks again after this part of its period, and at most every 10 ms."""
_FIRST_COOLDOWN_S = 0.5
_SPREAD = 0.25
"""After a cool-down requests start spread over so much of its length more: not all in one moment."""


def retry_delay_s(job: Job, number: int, failure: Failure) -> float | None:
    """Seconds to wait before the job is tried again; None: it is not.

    Loads are never retried, since a retry would hide the failure from the latency that users see. Waits double from
    half a second with jitter drawn from the job's id, so that a plan's waits can be reproduced; a server's
    Retry-After is obeyed up to ``MAX_WAIT_S``.
    """
    kinds = RETRYABLE if job.kind == "probe" else RETRYABLE | _GARBLED
    mendable = failure.kind in kinds and failure.status != _NOT_IMPLEMENTED
    mendable = mendable or (failure.kind == "http_4xx" and failure.status == _TIMED_OUT and job.kind != "probe")
    most = MAX_TRIES_THROTTLED if failure.kind == "throttled" else MAX_TRIES
    if job.kind == "load" or not mendable or number + 1 >= most:
        return None
    if failure.retry_after_s is not None:
        return min(failure.retry_after_s, MAX_WAIT_S)
    jitter = random.Random(f"{job.id}#{number}").uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy
    return float(0.5 * 2**number * jitter)


@dataclass(slots=True)
class _Held:
    """Tokens set aside for one request."""

    at_s: float
    tokens: int
    gone: bool = False
    """Whether its minute is over, so that it is in no sum any more."""


class TokenBudget:
    """At most ``per_minute`` tokens in any minute: by estimate when a request goes, by its usage once that is known."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._held: deque[_Held] = deque()
        self._sum = 0
        self._changed = asyncio.Event()

    async def take(self, tokens: int) -> _Held:
        """Wait until ``tokens`` fit and set them aside; one larger than the whole budget goes alone.

        One waiter at a time.
        """
        wanted = min(tokens, self._per_minute)
        while True:
            now = time.monotonic()
            self._forget(now)
            if self._sum + wanted <= self._per_minute:
                held = _Held(now, wanted)
                self._held.append(held)
                self._sum += wanted
                return held
            self._changed.clear()
            try:
                async with asyncio.timeout(self._held[0].at_s + _MINUTE_S - now + 0.001):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def settle(self, held: _Held, tokens: int) -> None:
        """Put what was used in the place of the estimate."""
        if not held.gone:
            self._sum += tokens - held.tokens
            held.tokens = tokens
            self._changed.set()

    def _forget(self, now: float) -> None:
        while self._held and now - self._held[0].at_s > _MINUTE_S:
            old = self._held.popleft()
            old.gone = True
            self._sum -= old.tokens


class DayIsOverError(Exception):
    """A provider may be asked nothing more today; the text says so in one line."""


class Limiter:
    """What one provider lets through now, shared by all its endpoints."""

    def __init__(self, provider: Provider) -> None:
        limits: Limits = provider.limits
        self._slots = asyncio.Semaphore(limits.concurrency) if limits.concurrency else None
        rates = ((limits.requests_per_second, 1.0), (limits.requests_per_minute, _MINUTE_S))
        self._rates = [_throttler(most, period_s) for most, period_s in rates if most]
        self._tokens = TokenBudget(limits.tokens_per_minute) if limits.tokens_per_minute else None
        self._day = Day(provider.id, limits.requests_per_day) if limits.requests_per_day else None
        self._day_over = f"its {limits.requests_per_day} requests of this day are used up; the next begins at 0:00 UTC"
        # One waiter at a time: the throttler polls, and a thousand pollers would be the load.
        self._turn = asyncio.Lock()
        self._held: dict[str, _Held] = {}
        self._cool_until = self._cool_s = 0.0
        self._streak = 0
        """Cool-downs since the last answer that needed none."""
        self.in_flight: Counter[str] = Counter()

    @property
    def counts_tokens(self) -> bool:
        """Whether ``settle`` has a use for what a request used."""
        return self._tokens is not None

    async def enter(self, job: Job, tokens: Callable[[], int]) -> int:
        """Wait for a place to ask a job; gives the number then under way on its endpoint, this one included.

        ``tokens`` estimates what the request will use, prompt and answer; it is called only where tokens are limited.
        Each place taken is given back by ``leave``. Loads do not wait for a cool-down: they keep the times of their
        plan, and what is refused under load is what they measure.
        Raises DayIsOverError where nothing more may be asked today.
        """
        if self._slots:
            await self._slots.acquire()
        try:
            await self._pass(job, tokens)
        except BaseException:
            self.settle(job, 0)
            if self._slots:
                self._slots.release()
            raise
        self.in_flight[job.endpoint] += 1
        return self.in_flight[job.endpoint]

    def leave(self, endpoint: str) -> None:
        """Give a place back."""
        self.in_flight[endpoint] -= 1
        if self._slots:
            self._slots.release()

    def settle(self, job: Job, tokens: int | None) -> None:
        """Say what a request used in the end, prompt and answer; None: not known, so that the estimate stands."""
        if self._tokens is not None and (held := self._held.pop(job.id, None)) is not None and tokens is not None:
            self._tokens.settle(held, tokens)

    def heard(self, failure: Failure | None) -> float | None:
        """Note how a request ended; seconds of the cool-down that begins with it, None: none does.

        A 429, or an overload that says how long it lasts, has all jobs of this provider wait: so long as it says, up
        to ``MAX_WAIT_S``, or else half a second, doubled with each that follows at once, with jitter. What was under
        way when a cool-down began and ends like it begins no other.
        """
        if failure is None:
            self._streak = 0
            return None
        stated = failure.retry_after_s
        if failure.kind != "throttled" and (failure.kind != "overloaded" or stated is None):
            return None
        now = time.monotonic()
        under_way = now < self._cool_until
        if under_way and (stated is None or now + min(stated, MAX_WAIT_S) <= self._cool_until):
            return None
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - spreading, not secrecy
        seconds = min(_FIRST_COOLDOWN_S * 2**self._streak * jitter if stated is None else stated, MAX_WAIT_S)
        self._streak = min(self._streak + (not under_way), 10)
        self._cool_until, self._cool_s = now + seconds, seconds
        return None if under_way else seconds

    def close(self) -> None:
        """Give back what was taken of the day and not used."""
        if self._day is not None:
            self._day.close()

    async def _pass(self, job: Job, tokens: Callable[[], int]) -> None:
        if job.kind != "load":
            await self._cooled()
        if self._rates or self._tokens:
            async with self._turn:
                for rate in self._rates:
                    await rate.acquire()  # type: ignore[no-untyped-call]  # the package ships no signature
                if self._tokens:
                    self._held[job.id] = await self._tokens.take(tokens())
            if job.kind != "load":  # one may have begun meanwhile
                await self._cooled()
        if self._day is not None and not self._day.take():
            raise DayIsOverError(self._day_over)

    async def _cooled(self) -> None:
        while (left := self._cool_until - time.monotonic()) > 0:  # noqa: ASYNC110 - each wakes at a moment of its own
            await asyncio.sleep(left + random.uniform(0, _SPREAD * self._cool_s))  # noqa: S311 - as above


def _throttler(most: int, period_s: float) -> Throttler:
    return Throttler(most, period=period_s, retry_interval=max(0.01, period_s * _POLL_SHARE))
