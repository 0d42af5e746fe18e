"""An endpoint where nobody is there is left alone, asked once more, and given up; one that is there never is."""

from __future__ import annotations

import asyncio

import pytest
from made import reply

from harness.exchange import Exchange, Failure, FailureKind, Outcome, WireMarks
from harness.run.admission import breaker
from harness.run.admission.breaker import AFTER, AFTER_LOAD, AFTER_PROBES, GIVEN_UP, Breakers, given_up
from harness.types import Attempt, Job, JobKind, Request

GOOD = Outcome(reply("yes"), None)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "COOL_S", 0.05)


def _attempt(number: int, kind: JobKind = "quality", failure: Failure | None = None) -> Attempt:
    job = Job(f"s/e/{number}/0", "e", kind, "s", "t", str(number))
    exchange = Exchange(WireMarks(), None, (), (), "user", reused=False, failure=failure)
    return Attempt(job, 0, Request("/x", b"", False, ""), exchange, 0, 0, 1)


def _bad(kind: FailureKind, status: int | None = None) -> Outcome:
    return Outcome(None, Failure(kind, "made", status))


def _note(made: Breakers, n: int, outcome: Outcome, kind: JobKind = "quality", first: int = 0) -> None:
    for number in range(first, first + n):
        made.note(_attempt(number, kind), outcome, again=False)


async def _ask(made: Breakers, number: int, outcome: Outcome, kind: JobKind = "quality") -> bool:
    """Ask a job as the runner does; whether it was let through."""
    attempt = _attempt(number, kind)
    if not await asyncio.wait_for(made.passes(attempt.job), 5):
        return False
    made.note(attempt, outcome, again=False)
    return True


@pytest.mark.parametrize(
    "outcome",
    [
        _bad("dns"),
        _bad("connect"),
        _bad("tls"),
        _bad("reset"),
        _bad("timeout_connect"),
        _bad("timeout_first_byte"),
        _bad("timeout_idle"),
        _bad("timeout_total"),
        _bad("auth", 401),
        _bad("throttled", 429),
        _bad("overloaded", 503),
        _bad("http_5xx", 500),
        _bad("http_4xx", 404),
        _bad("http_4xx", 402),
    ],
    ids=lambda outcome: f"{outcome.failure.kind}-{outcome.failure.status}",
)
def test_so_many_in_a_row_and_one_more_give_it_up(outcome: Outcome) -> None:
    """After five in a row it rests; one more is asked, fails, and every other is refused at once."""

    async def main() -> None:
        lines: list[str] = []
        made = Breakers(lines.append)
        _note(made, AFTER, outcome)
        assert made.why("e") is None
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_ask(made, 100 + number, outcome)) for number in range(20)]
        assert sorted(task.result() for task in asked) == [False] * 19 + [True]
        why = made.why("e")
        assert why is not None
        assert why.startswith(f"{AFTER + 1} failures in a row")
        assert len(lines) == 2
        assert "asked once more" in lines[0]
        assert "given up" in lines[1]

    asyncio.run(main())


@pytest.mark.parametrize(
    "outcome",
    [
        GOOD,
        _bad("http_4xx", 400),
        _bad("http_4xx", 422),
        _bad("http_5xx", 501),
        _bad("context_overflow", 400),
        _bad("empty", 200),
        _bad("truncated", 200),
        _bad("bad_json", 200),
        _bad("inband_error", 200),
    ],
    ids=lambda outcome: f"{outcome.failure.kind}-{outcome.failure.status}" if outcome.failure else "good",
)
def test_whoever_answers_is_there(outcome: Outcome) -> None:
    """Answers that are no good, and refusals of one request, never give an endpoint up; they end a row."""

    async def main() -> None:
        made = Breakers(lambda _: None)
        _note(made, 4 * AFTER, outcome)
        for _ in range(3):
            _note(made, AFTER - 1, _bad("connect"))
            _note(made, 1, outcome)
        assert await _ask(made, 0, GOOD)
        assert made.why("e") is None

    asyncio.run(main())


def test_a_server_that_comes_back_is_asked_again() -> None:
    """The one that is asked after the rest is answered, and all who waited go."""

    async def main() -> None:
        made = Breakers(lambda _: None)
        _note(made, AFTER, _bad("connect"))
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_ask(made, 100 + number, GOOD)) for number in range(20)]
        assert all(task.result() for task in asked)
        assert made.why("e") is None
        _note(made, AFTER - 1, _bad("connect"))
        assert await _ask(made, 0, GOOD)

    asyncio.run(main())


def test_an_answer_to_what_was_under_way_ends_the_rest() -> None:
    """Somebody is there after all: nobody waits any longer, and late failures of before give nothing up."""

    async def main() -> None:
        made = Breakers(lambda _: None)
        _note(made, AFTER, _bad("reset"))
        waiting = asyncio.create_task(_ask(made, 100, GOOD))
        await asyncio.sleep(0)
        _note(made, 3, _bad("reset"), first=50)
        _note(made, 1, GOOD, first=60)
        assert await waiting
        assert made.why("e") is None

    asyncio.run(main())


def test_tries_of_one_job_are_one_failure() -> None:
    """A job that is tried again has not failed yet."""
    made = Breakers(lambda _: None)
    for number in range(3 * AFTER):
        made.note(_attempt(number), _bad("connect"), again=True)
    assert asyncio.run(made.passes(_attempt(0).job))


def test_loads_and_what_we_did_ourselves_count_for_nothing() -> None:
    """Failures under load are data; what was cancelled or not asked says nothing of the endpoint."""
    made = Breakers(lambda _: None)
    _note(made, 9, _bad("connect"), "load")
    for kind in ("cancelled", "unasked", "unneeded"):
        _note(made, 9, _bad(kind))  # type: ignore[arg-type]
    assert made.why("e") is None
    assert made._states["e"].row == 0


def test_a_load_that_is_never_let_in_is_given_up() -> None:
    """A wrong key or a model that is not there is no failure under load; one answer shows that it is something else."""
    made = Breakers(lambda _: None)
    _note(made, AFTER_LOAD - 1, _bad("auth", 401), "load")
    assert made.why("e") is None
    _note(made, 1, _bad("http_4xx", 404), "load")
    assert (made.why("e") or "").startswith("refused from the first request on (http_4xx")
    other = Breakers(lambda _: None)
    _note(other, 1, GOOD, "load")
    _note(other, 3 * AFTER_LOAD, _bad("auth", 401), "load")
    assert other.why("e") is None


def test_probes_find_out_sooner_and_by_less() -> None:
    """Three probes without any answer are enough; what a probe may have provoked is no sign of absence."""

    async def main() -> None:
        made = Breakers(lambda _: None)
        _note(made, 20, _bad("http_5xx", 500), "probe")
        _note(made, 20, _bad("auth", 401), "probe")
        _note(made, AFTER_PROBES - 1, _bad("connect"), "probe")
        assert made._states["e"].until is None
        _note(made, 1, _bad("connect"), "probe")
        assert await _ask(made, 9, _bad("connect"), "probe")
        assert not await _ask(made, 10, GOOD, "probe")
        assert not await _ask(made, 11, GOOD)

    asyncio.run(main())


def test_what_was_not_asked_for_that_reason_is_known_by_it() -> None:
    """A resumed run asks those, and no others that were not asked."""
    assert given_up(Failure("unasked", f"{GIVEN_UP}6 failures in a row"))
    assert not given_up(Failure("unasked", "an earlier turn of its session failed"))
    assert not given_up(Failure("connect", f"{GIVEN_UP}by a server's own words"))
    assert not given_up(None)
