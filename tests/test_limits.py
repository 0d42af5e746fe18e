"""What may be sent when, and what is tried again."""

from __future__ import annotations

import asyncio
import time

import pytest

from harness.exchange import Failure
from harness.run.limits import MAX_TRIES, MAX_WAIT_S, Limiter, TokenBudget, retry_delay_s
from harness.types import Job, JobKind, Limits


def _job(kind: JobKind = "quality") -> Job:
    return Job("quality.t/e/s/0", "e", kind, "quality.t", "t", "s")


def test_loads_are_never_tried_again() -> None:
    """A retry would hide the failure from the latency that users see."""
    assert retry_delay_s(_job("load"), 0, Failure("throttled", "slow down", 429, 1.0)) is None


@pytest.mark.parametrize(
    "kind", ["auth", "http_4xx", "context_overflow", "content_filter", "bad_json", "empty", "cancelled"]
)
def test_what_would_only_fail_again_is_not_tried_again(kind: str) -> None:
    """A refused or misunderstood request is asked once."""
    assert retry_delay_s(_job(), 0, Failure(kind, "no")) is None  # type: ignore[arg-type]


def test_what_is_not_implemented_stays_so() -> None:
    """A 501 is a refusal, though its number is a server's error."""
    assert retry_delay_s(_job(), 0, Failure("http_5xx", "no embeddings here", 501)) is None
    assert retry_delay_s(_job(), 0, Failure("http_5xx", "oops", 500)) is not None


def test_waits_double_with_jitter_and_end() -> None:
    """Half a second, a second, then no more; the same job waits the same time whenever it is planned."""
    failure = Failure("overloaded", "busy", 503)
    waits = [retry_delay_s(_job(), number, failure) for number in range(MAX_TRIES)]
    assert waits[-1] is None
    assert 0.375 <= (waits[0] or 0) <= 0.625
    assert 0.75 <= (waits[1] or 0) <= 1.25
    assert waits == [retry_delay_s(_job(), number, failure) for number in range(MAX_TRIES)]


def test_the_server_says_when() -> None:
    """Retry-After is obeyed to the letter, up to a bound."""
    assert retry_delay_s(_job(), 0, Failure("throttled", "later", 429, 3.5)) == 3.5
    assert retry_delay_s(_job(), 0, Failure("throttled", "tomorrow", 429, 86_400.0)) == MAX_WAIT_S


def test_no_more_are_under_way_than_allowed() -> None:
    """With concurrency 3, ten requests are never more than three at once, and each knows how many it was among."""

    async def main() -> list[int]:
        limiter, seen = Limiter(Limits(concurrency=3)), []

        async def one() -> None:
            seen.append(await limiter.enter("e", lambda: 10))
            await asyncio.sleep(0.001)
            limiter.leave("e")

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(one())
        assert limiter.in_flight.total() == 0
        return seen

    seen = asyncio.run(main())
    assert max(seen) == 3
    assert len(seen) == 10


def test_requests_a_minute_hold_back_the_next_one() -> None:
    """Two a minute: two go at once, the third is still waiting."""

    async def main() -> int:
        limiter, through = Limiter(Limits(requests_per_minute=2)), 0

        async def one() -> None:
            nonlocal through
            await limiter.enter("e", lambda: 1)
            through += 1
            limiter.leave("e")

        tasks = [asyncio.create_task(one()) for _ in range(4)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert limiter.in_flight.total() == 0
        return through

    assert asyncio.run(main()) == 2


def test_tokens_a_minute_hold_back_what_does_not_fit() -> None:
    """A budget of 100 lets 60 and 40 through and holds the next one; one larger than the budget may go alone."""

    async def main() -> None:
        budget = TokenBudget(100)
        began = time.perf_counter()
        await budget.take(60)
        await budget.take(40)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(budget.take(1), 0.02)
        await TokenBudget(100).take(1_000)
        assert time.perf_counter() - began < 5

    asyncio.run(main())
