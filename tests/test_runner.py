"""The loop against a real server: when requests go, how many at once, what is tried again, and when it ends."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made import WAIT_S, Watcher, endpoint, load, plan, sample, task

from harness.engines import Running, start
from harness.exchange import Outcome
from harness.prices import price_of
from harness.provider import Limits, Serve
from harness.record.folder import create
from harness.record.journal import Journal, read_attempts
from harness.run.admission.budget import most
from harness.run.admission.rate_limits import MAX_TRIES
from harness.run.arrivals import Closed, Constant, Poisson, offsets_ns
from harness.run.planning.plan import Plan
from harness.run.runner import Runner, closing
from harness.run.tally import Before, Budget, Tally
from harness.types import Attempt
from harness.wire.assemble import assemble
from harness.wire.loop import run as run_loop
from harness.wire.pool import Pool
from harness.wire.transport import Client

MS = 1_000_000


@pytest.fixture(scope="module")
def steady() -> Iterator[Running]:
    """A server that takes 40 ms for an answer."""
    running = start(Serve("simulator", {"profile": "null", "ttft_ms": 40}))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def broken() -> Iterator[Running]:
    """A server that answers every request with 503, and asks for 0.02 s of patience."""
    running = start(Serve("simulator", {"profile": "null", "overload_503": 1.0, "retry_after_s": 0.02}))
    yield running
    running.stop()


class Seen(NamedTuple):
    """What a run left behind."""

    attempts: list[Attempt]
    tally: Tally
    watcher: Watcher

    def outcomes(self) -> list[Outcome]:
        """How each attempt ended."""
        return [assemble(one.exchange, stream=one.request.stream) for one in self.attempts]

    def kinds(self) -> list[str | None]:
        """Failure kind of each attempt; None: it succeeded."""
        return [one.failure.kind if one.failure else None for one in self.outcomes()]


def carry_out(
    made: Plan,
    folder: Path,
    *,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    tried: Mapping[str, int] | None = None,
    meanwhile: Callable[[asyncio.Task[Tally]], Awaitable[None]] | None = None,
) -> Seen:
    """Carry out a plan as a sitting does; ``meanwhile`` runs beside it and may stop it."""
    run = create(folder, "made")
    watcher = Watcher()

    async def main() -> Tally:
        pool = Pool()
        clients = {name: Client(one.provider, pool, key=None) for name, one in made.endpoints.items()}
        prices = {name: price_of(one) for name, one in made.endpoints.items()}
        runner = Runner(made, clients, journal, watcher, prices, budget, Before(tried or {}))
        async with closing(clients, pool), asyncio.timeout(WAIT_S):
            running = asyncio.ensure_future(runner.run())
            if meanwhile:
                await meanwhile(running)
            try:
                await running
            except asyncio.CancelledError:
                assert running.cancelled()
        return runner.tally

    with Journal(run) as journal:
        tally = run_loop(main())
    return Seen(list(read_attempts(run)), tally, watcher)


def _spans(attempts: Sequence[Attempt]) -> list[tuple[int, int]]:
    """When each was under way, in ns."""
    spans = []
    for one in attempts:
        marks: Any = one.exchange.marks
        spans.append((one.admit_ns, marks.eof_ns))
    return spans


def _most_at_once(spans: Sequence[tuple[int, int]]) -> int:
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    under_way = most = 0
    for _, step in edges:
        under_way += step
        most = max(most, under_way)
    return most


def _asks(n: int) -> list[Any]:
    return [sample(f"q{number}") for number in range(n)]


def test_a_closed_loop_keeps_so_many_under_way(steady: Running, tmp_path: Path) -> None:
    """With three slots there are three requests under way, never more, and each says how many it was among."""
    seen = carry_out(
        plan([task("sums", _asks(12))], [endpoint("p/m", steady.base_url)], concurrency=3),
        tmp_path,
    )
    assert seen.kinds() == [None] * 12
    assert max(one.in_flight for one in seen.attempts) == 3
    assert _most_at_once(_spans(seen.attempts)) == 3
    assert (seen.tally.jobs, seen.tally.failed, seen.tally.attempts) == (12, 0, 12)
    assert (seen.watcher.jobs, seen.watcher.stages) == (12, ["quality.sums"])


def test_endpoints_are_asked_side_by_side_and_counted_apart(steady: Running, tmp_path: Path) -> None:
    """Each endpoint of a quality task has its own slots, also where both are models of one provider."""
    both = [endpoint("p/m", steady.base_url), endpoint("p/n", steady.base_url)]
    seen = carry_out(plan([task("sums", _asks(8))], both, concurrency=2), tmp_path)
    assert max(one.in_flight for one in seen.attempts) == 2
    assert _most_at_once(_spans(seen.attempts)) > 2
    by_time = sorted(seen.attempts, key=lambda one: one.admit_ns)
    first_half = {one.job.endpoint for one in by_time[:8]}
    assert first_half == {"p/m", "p/n"}


def test_loads_are_carried_out_one_endpoint_after_the_other(steady: Running, tmp_path: Path) -> None:
    """Two endpoints under load are never under load at once, and warm-ups come before what is measured."""
    both = [endpoint("p/m", steady.base_url), endpoint("p/n", steady.base_url)]
    seen = carry_out(plan([load("chat", Closed(2), warmup=1)], both), tmp_path)
    spans = {name: _spans([one for one in seen.attempts if one.job.endpoint == name]) for name in ("p/m", "p/n")}
    assert max(end for _, end in spans["p/m"]) <= min(begin for begin, _ in spans["p/n"])
    for name in ("p/m", "p/n"):
        by_time = sorted((one.sched_ns, one.job.phase) for one in seen.attempts if one.job.endpoint == name)
        assert [phase for _, phase in by_time] == ["warmup", *["measure"] * 4]
    assert seen.kinds() == [None] * 10


@pytest.mark.parametrize("law", [Constant(50.0), Poisson(50.0)], ids=["constant", "poisson"])
def test_an_open_law_asks_when_requests_are_due(law: Constant | Poisson, steady: Running, tmp_path: Path) -> None:
    """Planned arrivals are those of the law to the nanosecond, nobody is sent before, and none waits for an answer."""
    seen = carry_out(plan([load("chat", law, n=10)], [endpoint("p/m", steady.base_url)], seed=3), tmp_path)
    attempts = sorted(seen.attempts, key=lambda one: one.sched_ns)
    due = [offset for offset, _ in zip(offsets_ns(law, 3), range(10), strict=False)]
    assert [one.sched_ns - attempts[0].sched_ns for one in attempts] == due
    for one in attempts:
        assert one.exchange.marks.send0_ns is not None
        assert one.sched_ns <= one.admit_ns <= one.exchange.marks.send0_ns
    assert [one.job.sample for one in attempts] == [str(n) for n in range(10)]
    assert max(one.in_flight for one in seen.attempts) > 1


def test_a_failure_is_tried_again_and_every_try_is_kept(broken: Running, tmp_path: Path) -> None:
    """Tries of one job have rising numbers, each is in the journal, each waited as asked, then it is over."""
    seen = carry_out(plan([task("sums", _asks(3))], [endpoint("p/m", broken.base_url)]), tmp_path)
    by_job = defaultdict(list)
    for one in seen.attempts:
        by_job[one.job.id].append(one)
    assert [[one.number for one in tries] for tries in by_job.values()] == [list(range(MAX_TRIES))] * 3
    assert set(seen.kinds()) == {"overloaded"}
    for tries in by_job.values():
        for before, after in pairwise(tries):
            assert before.exchange.marks.eof_ns is not None
            assert after.sched_ns - before.exchange.marks.eof_ns >= 19 * MS
    assert (seen.tally.jobs, seen.tally.failed, seen.tally.attempts) == (3, 3, 3 * MAX_TRIES)
    assert sorted(seen.watcher.again) == [False] * 3 + [True] * 6


def test_a_load_is_never_tried_again(broken: Running, tmp_path: Path) -> None:
    """Under load every failure stands as it came: one attempt for each job."""
    seen = carry_out(plan([load("chat", Closed(2), Constant(100.0))], [endpoint("p/m", broken.base_url)]), tmp_path)
    assert [one.number for one in seen.attempts] == [0] * 8
    assert set(seen.kinds()) == {"overloaded"}


def test_tries_of_an_earlier_sitting_count(broken: Running, tmp_path: Path) -> None:
    """A job that was tried twice before has one try left, and its number goes on from there."""
    made = plan([task("sums", _asks(1))], [endpoint("p/m", broken.base_url)])
    seen = carry_out(made, tmp_path, tried={job.id: 2 for job in made.jobs})
    assert [one.number for one in seen.attempts] == [2]


def test_after_max_duration_nothing_more_is_asked(steady: Running, tmp_path: Path) -> None:
    """What is under way is finished, what is not is left, and the tally says why."""
    made = plan([task("sums", _asks(200)), load("chat")], [endpoint("p/m", steady.base_url)], concurrency=2)
    seen = carry_out(made, tmp_path, budget=Budget(max_duration_s=0.3))
    assert 0 < len(seen.attempts) < 200
    assert seen.kinds() == [None] * len(seen.attempts)
    assert seen.tally.stopped == "--max-duration 0.3 s was reached"
    assert {one.job.kind for one in seen.attempts} == {"quality"}


def test_max_cost_is_never_gone_beyond(steady: Running, tmp_path: Path) -> None:
    """What may be spent is set aside before sending: the bound holds, and what is left would not pay for one more."""
    made = plan([task("sums", _asks(60))], [endpoint("p/m", steady.base_url)], concurrency=8)
    job = next(iter(made.jobs))
    one = most(made.request(job), price_of(made.endpoints[job.endpoint])).usd
    assert one is not None
    seen = carry_out(made, tmp_path, budget=Budget(max_cost_usd=4 * one))
    assert seen.tally.stopped is not None
    assert seen.tally.stopped.startswith("--max-cost ")
    assert 3 * one - 2e-6 <= seen.tally.cost_usd <= 4 * one
    assert 4 < len(seen.attempts) < 60


def test_what_waits_for_a_limit_is_not_sent_after_the_bound(steady: Running, tmp_path: Path) -> None:
    """Requests that were due but held back by a limit when the time was up are never sent."""
    slow = endpoint("p/m", steady.base_url, limits=Limits(concurrency=1))
    seen = carry_out(plan([load("chat", Constant(1000.0), n=50)], [slow]), tmp_path, budget=Budget(max_duration_s=0.2))
    assert len(seen.attempts) < 25
    assert seen.tally.stopped is not None


def test_waits_for_limits_are_recorded_and_not_timed(steady: Running, tmp_path: Path) -> None:
    """A provider that may have one request under way gets one; the wait stands between sched and admit, before send."""
    one_at_a_time = endpoint("p/m", steady.base_url, limits=Limits(concurrency=1))
    seen = carry_out(plan([task("sums", _asks(6))], [one_at_a_time], concurrency=6), tmp_path)
    assert {one.in_flight for one in seen.attempts} == {1}
    waits = sorted(one.admit_ns - one.sched_ns for one in seen.attempts)
    assert waits[-1] >= 5 * 40 * MS
    for one in seen.attempts:
        assert one.exchange.marks.send0_ns is not None
        assert one.admit_ns <= one.exchange.marks.send0_ns


def test_limits_are_shared_by_all_models_of_a_provider(steady: Running, tmp_path: Path) -> None:
    """A vendor's limit holds for the account, not for each model."""
    both = [endpoint(name, steady.base_url, limits=Limits(concurrency=1)) for name in ("p/m", "p/n")]
    seen = carry_out(plan([task("sums", _asks(4))], both, concurrency=4), tmp_path)
    assert _most_at_once(_spans(seen.attempts)) == 1


def test_what_is_broken_off_is_journalled_as_cancelled(steady: Running, tmp_path: Path) -> None:
    """Stopped in the middle: what had ended is kept, what was under way is cancelled, the rest is not there."""

    async def stop(running: asyncio.Task[Tally]) -> None:
        await asyncio.sleep(0.3)
        running.cancel()

    made = plan([task("sums", _asks(200))], [endpoint("p/m", steady.base_url)], concurrency=3)
    seen = carry_out(made, tmp_path, meanwhile=stop)
    kinds = seen.kinds()
    assert kinds.count("cancelled") == 3
    assert kinds.count(None) == len(kinds) - 3 > 0
    assert len({one.job.id for one in seen.attempts}) == len(seen.attempts) < 200
    assert seen.tally.jobs == kinds.count(None)


def test_requests_of_one_question_are_alike_on_the_wire(steady: Running, tmp_path: Path) -> None:
    """The journal has the planned bytes, and every endpoint's answers to one sample belong to one workload hash."""
    both = [endpoint("p/m", steady.base_url), endpoint("q/m", steady.base_url)]
    made = plan([task("sums", _asks(3)), load("chat", n=2)], both)
    seen = carry_out(made, tmp_path)
    planned = {job.id: made.request(job) for job in made.jobs}
    hashes = defaultdict(set)
    for one in seen.attempts:
        assert one.request == planned[one.job.id]
        hashes[one.job.task, one.job.sample].add(one.request.workload_sha256)
    assert {len(found) for found in hashes.values()} == {1}
    assert len(hashes) == 5
