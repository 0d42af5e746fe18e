"""What may be sent when, and what is tried again."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.exchange import Failure
from harness.provider import Limits, Provider
from harness.run.admission import day as day_module
from harness.run.admission.day import Day
from harness.run.admission.rate_limits import (
    MAX_TRIES,
    MAX_TRIES_THROTTLED,
    MAX_WAIT_S,
    DayIsOverError,
    Limiter,
    TokenBudget,
    retry_delay_s,
)
from harness.types import Job, JobKind


def _job(kind: JobKind = "quality", name: str = "s") -> Job:
    return Job(f"quality.t/e/{name}/0", "e", kind, "quality.t", "t", name)


def _limiter(**limits: int) -> Limiter:
    return Limiter(Provider("vendor", "hosted", "http://127.0.0.1:1/v1", limits=Limits(**limits)))


def _released(limiter: Limiter, n: int, within_s: float, tokens: int = 1) -> int:
    """How many of ``n`` that ask at once are let go within a time; the others are called off."""

    async def main() -> int:
        through = 0

        async def one(number: int) -> None:
            nonlocal through
            await limiter.enter(_job(name=str(number)), lambda: tokens)
            through += 1
            limiter.leave("e")

        tasks = [asyncio.create_task(one(number)) for number in range(n)]
        await asyncio.sleep(within_s)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert limiter.in_flight.total() == 0
        return through

    return asyncio.run(main())


def test_loads_are_never_tried_again() -> None:
    """A retry would hide the failure from the latency that users see."""
    assert retry_delay_s(_job("load"), 0, Failure("throttled", "slow down", 429, 1.0)) is None


@pytest.mark.parametrize(
    "kind", ["auth", "http_4xx", "context_overflow", "content_filter", "too_large", "empty", "cancelled"]
)
def test_what_would_only_fail_again_is_not_tried_again(kind: str) -> None:
    """A refused or misunderstood request is asked once."""
    assert retry_delay_s(_job(), 0, Failure(kind, "no")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bad_json", "bad_sse", "bad_http"])
def test_a_garbled_answer_is_asked_for_again_but_by_a_probe(kind: str) -> None:
    """Another try may bring a whole one; a probe came to see what the server sends."""
    garbled = Failure(kind, "half of a body")  # type: ignore[arg-type]
    assert retry_delay_s(_job(), 0, garbled) is not None
    assert retry_delay_s(_job("probe"), 0, garbled) is None


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


def test_who_is_told_to_come_later_may_come_oftener() -> None:
    """A refusal for the rate is tried again oftener than an error: many are told so at the same moment."""
    throttled = [retry_delay_s(_job(), number, Failure("throttled", "slow", 429, 1.0)) for number in range(9)]
    assert [delay is not None for delay in throttled] == [n + 1 < MAX_TRIES_THROTTLED for n in range(9)]
    assert MAX_TRIES_THROTTLED > MAX_TRIES


def test_the_server_says_when() -> None:
    """Retry-After is obeyed to the letter, up to a bound."""
    assert retry_delay_s(_job(), 0, Failure("throttled", "later", 429, 3.5)) == 3.5
    assert retry_delay_s(_job(), 0, Failure("throttled", "tomorrow", 429, 86_400.0)) == MAX_WAIT_S


def test_no_more_are_under_way_than_allowed() -> None:
    """With concurrency 3, ten requests are never more than three at once, and each knows how many it was among."""

    async def main() -> list[int]:
        limiter, seen = _limiter(concurrency=3), []

        async def one() -> None:
            seen.append(await limiter.enter(_job(), lambda: 10))
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
    assert _released(_limiter(requests_per_minute=2), 4, 0.05) == 2


def test_requests_a_second_go_second_by_second() -> None:
    """Three a second: three go at once, and when a second is over the next three."""
    assert _released(_limiter(requests_per_second=3), 9, 0.5) == 3
    assert _released(_limiter(requests_per_second=3), 9, 1.4) == 6


def test_all_limits_hold_together() -> None:
    """The tightest of several limits is the one that holds."""
    assert _released(_limiter(requests_per_second=50, requests_per_minute=4, tokens_per_minute=30), 9, 0.1, 10) == 3


# --- tokens ----------------------------------------------------------------------------------------------


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


def test_an_estimate_gives_way_to_what_was_used() -> None:
    """Whoever waits goes as soon as an answer turns out smaller than was set aside; a larger one holds back more."""

    async def main() -> None:
        budget = TokenBudget(100)
        first = await budget.take(90)
        waiting = asyncio.create_task(budget.take(50))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        budget.settle(first, 10)
        second = await asyncio.wait_for(waiting, 5)
        budget.settle(second, 90)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(budget.take(1), 0.02)

    asyncio.run(main())


def test_what_was_not_sent_used_no_tokens() -> None:
    """Requests that were called off while they waited do not stand in the way of the next ones."""

    async def main() -> int:
        limiter = _limiter(tokens_per_minute=100, requests_per_day=10)
        limiter.heard(Failure("throttled", "later", 429, 0.3))
        waiting = asyncio.create_task(limiter.enter(_job(name="a"), lambda: 90))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.wait([waiting])
        return await asyncio.wait_for(limiter.enter(_job("load", "b"), lambda: 90), 5)

    assert asyncio.run(main()) == 1


# --- cool-downs ------------------------------------------------------------------------------------------


def _waits(limiter: Limiter, kind: JobKind) -> float:
    async def main() -> float:
        began = time.perf_counter()
        await limiter.enter(_job(kind), lambda: 1)
        return time.perf_counter() - began

    return asyncio.run(main())


def test_one_refusal_holds_back_all() -> None:
    """After a 429 with Retry-After nobody is let go before; a load alone keeps the times of its plan."""
    limiter = _limiter()
    assert limiter.heard(Failure("throttled", "later", 429, 0.2)) == 0.2
    assert _waits(limiter, "load") < 0.15
    assert _waits(limiter, "quality") >= 0.15


@pytest.mark.parametrize(
    ("failure", "cools"),
    [
        (Failure("throttled", "no time given", 429), True),
        (Failure("overloaded", "with a time", 503, 2.0), True),
        (Failure("overloaded", "without", 503), False),
        (Failure("http_5xx", "oops", 500), False),
        (Failure("http_4xx", "no", 400), False),
        (None, False),
    ],
)
def test_what_begins_a_cool_down(failure: Failure | None, cools: bool) -> None:
    """A 429 always, an overload that says how long it lasts, and nothing else."""
    assert (_limiter().heard(failure) is not None) is cools


def test_cool_downs_double_until_something_is_answered() -> None:
    """Without Retry-After each that follows another is about twice as long, up to a bound; an answer begins anew."""
    limiter, told = _limiter(), []
    for _ in range(12):
        told.append(limiter.heard(Failure("throttled", "slow down", 429)) or 0)
        limiter._cool_until = 0.0
    assert 0.375 <= told[0] <= 0.625
    assert 3 <= told[3] <= 5
    assert told[-1] == MAX_WAIT_S
    limiter.heard(None)
    assert (limiter.heard(Failure("throttled", "slow down", 429)) or 0) <= 0.625


def test_who_was_under_way_begins_no_other_cool_down() -> None:
    """Sixty-four refusals of one moment are one cool-down; a longer Retry-After among them makes it longer."""
    limiter = _limiter()
    assert limiter.heard(Failure("throttled", "slow down", 429)) is not None
    until = limiter._cool_until
    assert {limiter.heard(Failure("throttled", "slow down", 429)) for _ in range(63)} == {None}
    assert limiter._cool_until == until
    assert limiter.heard(Failure("throttled", "slow down", 429, 9.0)) is None
    assert limiter._cool_until > until + 5
    assert limiter.heard(Failure("throttled", "a century", 429, 3e9)) is None
    assert limiter._cool_until <= time.monotonic() + MAX_WAIT_S


# --- days ------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HARNESS_NO_CACHE", raising=False)
    return tmp_path / "endpoint-harness/days"


def test_a_day_is_counted_over_runs(own_cache: Path) -> None:
    """What one run used the next does not have; what it took and did not use is given back; vendors count apart."""
    first = Day("vendor", 50)
    assert [first.take() for _ in range(7)] == [True] * 7
    first.close()
    second = Day("vendor", 50)
    assert sum(second.take() for _ in range(100)) == 43
    second.close()
    assert not Day("vendor", 50).take()
    assert Day("other", 50).take()


def test_a_new_day_begins_anew(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yesterday's count does not hold today, neither in the file nor in a run that goes on over midnight."""
    over_midnight = Day("vendor", 3)
    assert [over_midnight.take() for _ in range(4)] == [True, True, True, False]

    class Tomorrow:
        @staticmethod
        def now(zone: Any) -> datetime:
            return datetime(2999, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(day_module, "datetime", Tomorrow)
    assert over_midnight.take()
    assert Day("vendor", 3).take()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"date": 1}', '{"date": "x", "requests": "y"}', "\x00"])
def test_a_count_that_cannot_be_read_is_none(text: str, own_cache: Path) -> None:
    """The file may hold anything: it is then begun anew."""
    own_cache.mkdir(parents=True)
    (own_cache / "vendor.json").write_text(text)
    assert sum(Day("vendor", 3).take() for _ in range(9)) == 3


def test_without_a_cache_folder_a_run_counts_for_itself(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HARNESS_NO_CACHE the limit still holds within the process, and nothing is written."""
    monkeypatch.setenv("HARNESS_NO_CACHE", "1")
    day = Day("vendor", 3)
    assert sum(day.take() for _ in range(9)) == 3
    assert not own_cache.exists()


def _use_up(counted: Any) -> None:
    day = Day("vendor", 400)
    n = sum(day.take() for _ in range(300))
    day.close()
    counted.put(n)


def test_processes_share_a_day(own_cache: Path) -> None:
    """Processes that ask at the same time take from one count: together they never send more than the limit."""
    context = multiprocessing.get_context("fork")
    counted = context.Queue()
    several = [context.Process(target=_use_up, args=(counted,)) for _ in range(3)]
    for process in several:
        process.start()
    assert sum(counted.get(timeout=30) for _ in several) == 400
    for process in several:
        process.join()


def test_a_day_that_is_over_is_said(own_cache: Path) -> None:
    """Who asks for more is told so in words, and takes no place."""

    async def main() -> None:
        limiter = _limiter(requests_per_day=1, concurrency=1)
        await limiter.enter(_job(), lambda: 1)
        limiter.leave("e")
        with pytest.raises(DayIsOverError, match="1 requests of this day are used up"):
            await limiter.enter(_job(), lambda: 1)
        assert limiter.in_flight.total() == 0

    asyncio.run(main())
