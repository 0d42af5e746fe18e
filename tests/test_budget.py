"""A budget is never gone beyond: what a request may use at most is set aside before it goes."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import reply

from harness.exchange import Exchange, Failure, Outcome, Usage, WireMarks
from harness.provider import Price
from harness.run.admission.budget import UNCAPPED_TOKENS, Spending, estimate_tokens, most, used_tokens
from harness.run.tally import Budget
from harness.types import Attempt, Job, JobKind, Request

PRICE = Price(1.0, 4.0, 0.5, "made")
PRICES = {"e": PRICE}


def _request(cap: int | None = 10, text: str = "x" * 50) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return Request("/chat/completions", json.dumps(body | ({"max_tokens": cap} if cap else {})).encode(), False, "")


def _job(number: int, kind: JobKind = "quality") -> Job:
    return Job(f"s/e/{number}/0", "e", kind, "s", "t", str(number))


def _ended(job: Job, usage: Usage | None, failure: Failure | None = None) -> tuple[Attempt, Outcome]:
    status = failure.status if failure else 200
    exchange = Exchange(WireMarks(send0_ns=1), status, (), (), "user", reused=False)
    completion = reply(usage=usage)
    return Attempt(job, 0, _request(), exchange, 0, 0, 1), Outcome(completion, failure)


def test_the_most_a_request_can_use() -> None:
    """Every byte a token and every allowed token given; n choices count so often; no cap is a large one."""
    request = _request(10)
    size = len(request.body or b"")
    assert most(request, PRICE) == (size + 10, (size * 1.0 + 10 * 4.0) / 1e6)
    assert most(_request(None), None).tokens == len(_request(None).body or b"") + UNCAPPED_TOKENS
    assert most(request, Price(None, 1.0)).usd is None
    assert estimate_tokens(request) == size // 4 + 10


@pytest.mark.parametrize(
    ("usage", "failure", "used"),
    [
        (Usage(7, 3), None, 10),
        (Usage(7, 3), Failure("truncated", "", 200), 10),
        (Usage(7, None), None, None),
        (None, None, None),
        (None, Failure("throttled", "", 429), 0),
        (None, Failure("http_5xx", "", 500), 0),
        (None, Failure("truncated", "", 200), None),
        (None, Failure("timeout_first_byte", "", None), None),
        (Usage(-5, 3), None, 3),
    ],
)
def test_what_an_attempt_used(usage: Usage | None, failure: Failure | None, used: int | None) -> None:
    """The server's own count; nothing for a refusal; what may have been made and not told is not known."""
    assert used_tokens(*_ended(_job(0), usage, failure)) == used


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    at_once=st.integers(1, 64),
    tokens=st.one_of(st.none(), st.integers(0, 5_000)),
    usd=st.one_of(st.none(), st.floats(0, 0.01)),
    requests=st.one_of(st.none(), st.integers(1, 80)),
)
def test_no_moment_is_beyond_the_budget(
    seed: int, at_once: int, tokens: int | None, usd: float | None, requests: int | None
) -> None:
    """With up to 64 at once that end in any order, as good or bad, what is spent and set aside stays within."""
    draw = random.Random(seed)
    budget = Budget(max_cost_usd=usd, max_requests=requests, max_tokens=tokens)
    spending = Spending(budget, PRICES)

    def holds() -> None:
        assert tokens is None or spending.spent_tokens + spending.aside_tokens <= tokens
        assert usd is None or spending.spent_usd + spending.aside_usd <= usd + 1e-12
        assert requests is None or spending.sent <= requests

    async def user(jobs: list[int]) -> None:
        while jobs:
            job, request = _job(jobs.pop()), _request(draw.choice([5, 50, 300]))
            if not await spending.set_aside(job, request):
                return
            holds()
            for _ in range(draw.randrange(4)):
                await asyncio.sleep(0)
            worst = most(request, PRICE)
            came = draw.choice(["whole", "part", "unstated", "refused", "unsent"])
            if came == "unsent":
                spending.give_back(job)
            else:
                cap = json.loads(request.body or b"")["max_tokens"]
                used = Usage(worst.tokens - cap, cap) if came == "whole" else Usage(3, 2)
                failure = Failure("throttled", "", 429) if came == "refused" else None
                spending.settle(*_ended(job, used if came in ("whole", "part") else None, failure))
            holds()

    async def main() -> None:
        spending.begin(100)
        jobs = list(range(100))
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(user(jobs))
        assert spending.aside_tokens == 0
        assert spending.aside_usd == pytest.approx(0, abs=1e-12)
        assert not jobs or spending.over is not None

    asyncio.run(main())


def test_what_does_not_fit_yet_waits_for_what_is_under_way() -> None:
    """Where another request might give back enough it is waited for; where none is under way the budget is reached."""

    async def main() -> None:
        one = most(_request(), PRICE).tokens
        spending = Spending(Budget(max_tokens=one + 20), PRICES)
        spending.begin(3)
        assert await spending.set_aside(_job(0), _request())
        waiting = asyncio.create_task(spending.set_aside(_job(1), _request()))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        spending.settle(*_ended(_job(0), Usage(10, 5)))
        assert await waiting
        spending.settle(*_ended(_job(1), Usage(10, 5)))
        assert not await spending.set_aside(_job(2), _request())
        assert spending.over == f"--max-total-tokens {one + 20} was reached (30 spent, the next may take {one})"

    asyncio.run(main())


def test_a_load_does_not_wait_for_money() -> None:
    """A load keeps its arrival times: what does not fit when it is due ends the run."""

    async def main() -> None:
        spending = Spending(Budget(max_tokens=most(_request(), None).tokens), {})
        assert await spending.set_aside(_job(0, "load"), _request())
        assert not await asyncio.wait_for(spending.set_aside(_job(1, "load"), _request()), 1)
        assert spending.over is not None

    asyncio.run(main())


def test_retries_take_what_the_plan_leaves() -> None:
    """With --max-requests no retry takes the place of a planned request."""
    spending = Spending(Budget(max_requests=12), {})
    spending.begin(10)
    assert [spending.may_retry() for _ in range(4)] == [True, True, False, False]
    assert Spending(Budget(), {}).may_retry()


def test_no_bound_costs_nothing() -> None:
    """Without a budget no body is looked into: one that is no JSON goes all the same, and nothing is counted."""

    async def main() -> None:
        spending = Spending(Budget(), PRICES)
        assert await spending.set_aside(_job(0), Request("/x", b"{", False, ""))
        assert spending.sent == 0
        assert spending.reached() is None

    asyncio.run(main())
