"""One plan dealt out to workers anywhere: what each is asked, how their clocks stand, what is not lost."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import Watcher, catalog, endpoint, load, plan, sample, task

from harness.errors import StoreError, UnknownName, UsageError
from harness.place import Place, open_place
from harness.provider import Limits
from harness.record.folder import RunFolder
from harness.record.journal import Session
from harness.report.load import partly
from harness.run.arrivals import Closed, Poisson
from harness.run.planning.plan import Plan, make
from harness.run.selecting.selection import Selection
from harness.run.tally import Budget
from harness.run.workers import clocks, executor, gathering, handed, parcels
from harness.run.workers.crew import budgets
from harness.run.workers.meeting import Meeting, states
from harness.run.workers.parcels import Parcels
from harness.run.workers.shards import Shard
from harness.run.workers.shares import refuse_indivisible, share
from harness.scorers.judge import judge
from harness.store.sharded import aligner, lost, order_ms

TWO = [endpoint("a/m"), endpoint("b/m")]


def everything() -> Plan:
    """Tasks, judges and loads, open and closed."""
    judged = task("judged", [sample(f"q{n}") for n in range(12)], scorer=judge())
    plain = task("plain", [sample(f"p{n}") for n in range(30)])
    loads = [load("open", Poisson(200.0), n=60), load("closed", Closed(7), n=20)]
    asked = Selection(
        "made",
        ("a/m", "b/m"),
        *(("judged", "plain"), None, ("open", "closed")),
        judges=("a/m",),
        concurrency=3,
        repeats=2,
        paired=True,
    )
    return make(asked, catalog(judged, plain, *loads), TWO, TWO[:1])


# --- what each is asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [1, 2, 3, 4, 7])
def test_the_shares_together_are_the_plan(of: int) -> None:
    """Whatever the number of workers, the merged plan is equal to the plan, due times and places of loops included."""
    whole = everything()
    shares = [share(whole, number, of) for number in range(of)]
    for place, stage in enumerate(whole.stages):
        dealt = [one.stages[place] for one in shares]
        assert Counter(job for one in dealt for lane in one.lanes for job in lane) == Counter(
            job for lane in stage.lanes for job in lane
        )
        if isinstance(stage.law, Closed):
            assert sum(one.law.concurrency for one in dealt if any(one.lanes)) <= stage.law.concurrency  # type: ignore[union-attr]


@pytest.mark.parametrize("of", [2, 3, 5])
def test_who_judges_is_where_the_answers_are(of: int) -> None:
    """A request that is made of other answers is dealt to the worker that gets them."""
    whole = everything()
    for number in range(of):
        mine = {job.id for job in share(whole, number, of).jobs}
        for name in mine & whole.matters.keys():
            assert set(whole.matters[name].needed) <= mine


def test_a_share_of_a_poisson_process_is_one() -> None:
    """The gaps of each of four shares have a quarter of the rate, and the variation of a Poisson law."""
    whole = plan([load("open", Poisson(100.0), n=8000)], [endpoint("a/m")])
    for number in range(4):
        due = [job.due_ns or 0 for job in share(whole, number, 4).jobs]
        gaps = [(after - before) / 1e9 for before, after in itertools.pairwise(due)]
        assert statistics.mean(gaps) == pytest.approx(0.04, rel=0.08)
        assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1.0, abs=0.08)


def test_a_limit_that_cannot_be_divided_is_refused() -> None:
    """Four workers cannot keep a limit of three together; a day's requests are divided only between machines."""
    limited = endpoint("a/m", limits=Limits(concurrency=3, requests_per_day=1000))
    whole = plan([load("chat", Closed(2))], [limited])
    refuse_indivisible(whole, 3)
    with pytest.raises(UsageError, match="concurrency: 3 cannot be kept by 4 workers"):
        refuse_indivisible(whole, 4)
    of = [
        share(whole, number, 3, apart=apart).endpoints["a/m"].provider.limits
        for apart in (False, True)
        for number in (0, 1, 2)
    ]
    assert [one.requests_per_day for one in of] == [1000, 1000, 1000, 334, 333, 333]


@settings(deadline=None)
@given(
    st.integers(1, 10_000) | st.none(),
    st.integers(1, 10_000) | st.none(),
    st.lists(st.integers(0, 500), min_size=1, max_size=8),
)
def test_workers_spend_no_more_than_the_whole(requests: int | None, tokens: int | None, planned: list[int]) -> None:
    """The parts of a budget add up to it, and each has room for what its share of the plan needs."""
    parts = budgets(Budget(1.0, 60.0, requests, tokens), planned)
    assert sum(one.max_cost_usd or 0 for one in parts) == pytest.approx(1.0)
    if tokens is not None:
        assert sum(one.max_tokens or 0 for one in parts) == tokens
    if requests is not None:
        assert sum(one.max_requests or 0 for one in parts) == max(requests, sum(planned))
        assert all((one.max_requests or 0) >= n for one, n in zip(parts, planned, strict=True))


@pytest.mark.parametrize("text", ["", "rey", "ray:", "local:x", "k9s"])
def test_an_unknown_executor_is_told_apart(text: str) -> None:
    """What is no executor is refused; what is one is read."""
    with pytest.raises(UnknownName):
        executor.read(text)
    assert executor.read("ray:10.0.0.1:6379") == executor.Where("ray", "10.0.0.1:6379")
    assert executor.read("local") == executor.Where("local")


# --- clocks ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.integers(-(10**15), 10**15),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20),
)
def test_an_offset_is_never_wrong_by_more_than_its_bound(truth: int, ways: list[tuple[int, int]]) -> None:
    """However unequal the two ways of a round trip are, the error is at most half the best one."""
    probes = []
    for number, (there, back) in enumerate(ways):
        asked = number * 3 * 10**9
        probes.append((asked, asked + there + truth, asked + there + back))
    found = clocks.best(probes)
    assert abs(found.offset_ns - truth) <= found.bound_ns
    assert found.bound_ns <= min(there + back for there, back in ways) / 2 + 2


def test_a_clock_is_asked_as_often_as_said() -> None:
    """The offset of a clock that runs 5 s ahead is found within the bound that is told."""

    async def ahead() -> int:
        return time.perf_counter_ns() + 5_000_000_000

    found = asyncio.run(clocks.measured(ahead, 20))
    assert abs(found.offset_ns - 5_000_000_000) <= found.bound_ns
    assert found.probes == 20


def test_a_clock_that_drifts_widens_its_bound() -> None:
    """Whatever the offset was between two measurements, it is within the bound of the first."""
    shard = Shard(0, 2)
    for offset, bound in ((1_000, 50), (1_400, 30), (900, 40)):
        shard.measured(clocks.Offset(offset, bound, 10))
    assert (shard.offset_ns, shard.bound_ns, shard.probes) == (1_000, 430, 30)


def _row(shard: int, clock: str, offset: int | None, bound: int | None, **more: Any) -> dict[str, Any]:
    conductor = {"wall": "2026-01-01T00:00:10+00:00", "mono_ns": 10_000_000_000, "clock": "here"}
    row = {"sitting": 1, "shard": shard, "of": 2, "session": 1, "host": clock, "clock": clock, "lost": None, "pid": 1}
    return {**row, "offset_ns": offset, "bound_ns": bound, "lost_at": None, "conductor": conductor, **more}


def test_moments_of_all_hosts_are_on_one_calendar() -> None:
    """A session of a far host is put where the conductor's clock has it; one of the same clock has no error added."""
    align = aligner({"shards": [_row(0, "here", 7_000, 9_000), _row(1, "there", 2_000_000_000, 400_000)]})
    own = datetime(2020, 1, 1, tzinfo=UTC)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    near, far, other = (
        align(Session(shard, number, 15_000_000_000, own, 1)) for shard, number in ((0, 1), (1, 1), (1, 2))
    )
    assert near.wall == begin + timedelta(seconds=15)
    assert far.wall == begin + timedelta(seconds=13)
    assert other.wall == own


def test_what_is_not_ordered_is_marked() -> None:
    """One clock orders everything; two order nothing finer than both bounds; unmeasured ones order nothing."""
    assert order_ms({"shards": [_row(0, "x", None, None), _row(1, "x", None, None)]}) is None
    two = {"shards": [_row(0, "x", 1, 300_000), _row(1, "y", 1, 400_000)], "status": "finished"}
    assert order_ms(two) == pytest.approx(0.8)
    assert "in no certain order within 0.8 ms" in partly.lines(two, None)[0]
    assert order_ms({"shards": [_row(0, "x", 1, 1), _row(1, "y", None, None)]}) == float("inf")


def test_a_lost_worker_is_told_with_what_is_left() -> None:
    """Of a partial run the report says who was lost, how many requests have a record, and what load was left."""
    gone = _row(1, "x", None, None, lost="exit code -9", lost_at="2026-01-01T00:00:12Z")
    manifest = {"status": "partial", "planned": 100, "shards": [_row(0, "x", None, None), gone]}
    (line,) = partly.lines(manifest, 71)
    for words in ("shard 1 on x", "exit code -9", "71 of 100 planned requests", "1/2 of the planned load"):
        assert words in line
    assert lost({**manifest, "status": "finished"}) == []


# --- what travels ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of a bucket on an S3 server of this machine."""
    for name in ("s3fs", "moto", "flask"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: no S3 server to send parcels to (pip install s3fs 'moto[server]')")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    import s3fs

    with (
        subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            environment.setenv(name, value)
        try:
            for _ in range(600):
                with socket.socket() as there:
                    if not there.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.1)
            files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": f"http://127.0.0.1:{port}"})
            files.mkdir("loads")
            yield "s3://loads"
        finally:
            server.terminate()


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place on a disk, in memory, and on an S3 server."""
    name = secrets.token_hex(4)
    if request.param == "s3":
        return open_place(f"{request.getfixturevalue('s3')}/{name}")
    return open_place(str(tmp_path / "far") if request.param == "folder" else f"memory://{name}")


def test_what_was_journalled_outlives_the_machine(place: Place, tmp_path: Path) -> None:
    """Whole lines arrive as they are sent, a machine that is lost takes only what came after, and another goes on."""
    first = RunFolder(tmp_path / "first")
    first.root.mkdir()
    journal = first.journal_path(3)
    journal.write_bytes(b'{"n":1}\n{"n":2}\n{"torn')
    sent = Parcels(first, place, 3)
    sent.take_up()
    sent.send()
    sent.send()
    assert parcels.content(place, journal.name) == b'{"n":1}\n{"n":2}\n'
    with journal.open("ab") as file:
        file.write(b'":3}\n')
    # The machine is gone here: its disk has a line that was never sent.
    second = RunFolder(tmp_path / "second")
    second.root.mkdir()
    again = Parcels(second, place, 3)
    again.take_up()
    assert second.journal_path(3).read_bytes() == b'{"n":1}\n{"n":2}\n'
    with second.journal_path(3).open("ab") as file:
        file.write(b'{"n":4}\n')
    with again.going():
        pass
    whole = RunFolder(tmp_path / "whole")
    whole.root.mkdir()
    parcels.bring(whole, place)
    assert whole.journal_path(3).read_bytes() == b'{"n":1}\n{"n":2}\n{"n":4}\n'
    # And who was thought to be lost may not write what another has written meanwhile.
    with pytest.raises(StoreError, match="Another worker"):
        sent.send()


def test_workers_meet_where_all_can_write(place: Place) -> None:
    """A part begins at one moment for all, once all are ready; who does not come is named when patience ends."""
    hands = [Meeting(place, number, 3) for number in range(3)]
    hands[0].ready(0)
    assert hands[0].begin(0, patient=True) is None
    hands[1].ready(0)
    hands[2].ready(0)
    told = {hand.begin(0, patient=True) for hand in hands}
    assert len(told) == 1
    (begin,) = told
    assert begin is not None
    assert begin.at > datetime.now(UTC)
    assert begin.without == ()
    hands[2].ready(1)
    late = hands[2].begin(1, patient=False)
    assert late is not None
    assert late.without == (0, 1)
    assert hands[0].begin(1, patient=True) == late
    at = datetime(2026, 1, 1, tzinfo=UTC)
    hands[1].fix(2, at)
    hands[0].fix(2, at + timedelta(hours=1))
    assert hands[2].told(2) == (at, ())
    for n in range(3):
        hands[1].say({"jobs": n})
    # A worker that was started again goes on counting where it stopped.
    Meeting(place, 1, 3).say({"jobs": 9})
    assert states(place)[1] == {"jobs": 9}
    assert not hands[0].stopped()


def test_a_worker_is_told_its_command(tmp_path: Path) -> None:
    """The command names all that a worker needs; without a number it is left to the scheduler's variable."""
    start = handed.Start("/plan", 8, "s3://bucket/x")
    assert start.argv() == ["harness", "worker", "--plan", "/plan", "--shard", "8", "--out", "s3://bucket/x"]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert start._replace(shard=2, start_at=at).argv()[5:] == [
        *("2/8", "--out", "s3://bucket/x", "--start-at", "2026-01-01T00:00:00+00:00")
    ]


def test_the_users_files_go_along(tmp_path: Path) -> None:
    """A plan that is handed out has the user's prompts beside it, and a worker elsewhere finds them there."""
    prompts = tmp_path / "mine.jsonl"
    prompts.write_text('{"prompt": "One?"}\n')
    providers = tmp_path / "own.yaml"
    providers.write_text("providers: {}\n")
    whole = plan([load("chat", Closed(1))], [endpoint("a/m")])
    changes = replace(whole.selection.changes, prompts=str(prompts))
    folder = handed.write(
        replace(whole, selection=replace(whole.selection, changes=changes)), tmp_path / "r", providers
    )
    prompts.unlink()
    assert handed.files(folder).keys() == {"run.json", "providers.yaml", "data-0-mine.jsonl"}
    stored = Selection.from_json(json.loads(handed.files(folder)["run.json"])["selection"])
    here = handed.found_here(stored, folder.root).changes.prompts
    assert here is not None
    assert Path(here).read_text() == '{"prompt": "One?"}\n'


def test_a_place_where_nobody_wrote_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks on for workers at another place than they write to would wait without a word."""
    watcher = Watcher()
    looked = gathering.Gathering(open_place(str(tmp_path)), watcher)
    looked.look()
    assert watcher.lines == []
    monkeypatch.setattr(gathering, "SILENT_S", 0.0)
    looked.look()
    looked.look()
    assert watcher.lines == [f"no worker has written at {looked.place.shown} yet; is that their place (--from)?"]
    assert not looked.ended
