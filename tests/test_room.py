"""Before anything is sent: the results may be written, and they fit."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, sized
from made import Watcher, endpoint, plan, sample, task

from harness.engines import start
from harness.errors import StoreError
from harness.provider import Serve
from harness.run import sitting
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.run.planning.disk import (
    REQUEST_BYTES,
    TOKEN_BYTES,
    USUAL_TOKENS,
    WHOLE_TOKEN_BYTES,
    for_rest,
    refuse_no_room,
    room_of,
)
from harness.run.planning.plan import Plan
from harness.types import Load, Sample

SUMS = task("sums", [sample(f"s{n}") for n in range(6)])
LONG = task("long", [sample(f"s{n}", "x" * 100_000) for n in range(6)])
_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024 - as shutil's own


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how much there is and how much is needed, exit code 5; no run folder is left, nothing was sent."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10**9, 10**9, 1_000_000))
    with pytest.raises(
        StoreError,
        match=r"has 1\.0 MB free, and this run is likely to need 8\.\d MB, at the tokens.*; nothing was sent",
    ) as told:
        sitting.start(
            plan([SUMS], [endpoint(base_url="http://127.0.0.1:9/v1")]), results=tmp_path, company=Company(Watcher())
        )
    assert told.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """A results folder below a file, or where nobody may write, is StoreError with exit code 5."""
    (tmp_path / "file").touch()
    for results in (tmp_path / "file", tmp_path / "file" / "results", Path("/proc/results")):
        with pytest.raises(StoreError) as told:
            refuse_no_room(results, plan([SUMS], [endpoint()]))
        assert told.value.exit_code == 5
        assert "\n" not in str(told.value)


def _asked(name: str, cap: int | None) -> Sample:
    return Sample(
        name, ({"role": "user", "content": "Go on."},), target="x", params={} if cap is None else {"max_tokens": cap}
    )


def _capped(kind: str, cap: int | None, n: int = 6, **changes: Any) -> Plan:
    """A plan of so many requests that allow so many tokens each; None: they set no cap."""
    if kind == "load":
        chat = Load("chat", 1, "made for a test", (Closed(8),), n, lambda _, index: _asked(f"s{index}", cap), 0)
        return plan([chat], [endpoint()])
    return plan([task("sums", [_asked(f"s{number}", cap) for number in range(n)], **changes)], [endpoint()])


def _answers(made: Plan, base: Plan) -> tuple[int, int]:
    """Bytes of the answers of a plan alone, likely and at most: what it takes beyond one whose answers are empty."""
    of, empty = room_of(made), room_of(base)
    return round((of.likely - empty.likely) / 60), round((of.most - empty.most) / 60)


@pytest.mark.parametrize(
    ("kind", "cap", "likely", "most", "words"),
    [
        ("quality", 200, 200, 200, "at the tokens that requests allow"),
        ("quality", 9000, 1000, 9000, "at the tokens that requests allow, in tasks 1,000 at most"),
        ("quality", None, 1000, 1000, "at 1,000 tokens for each answer, since no request sets a cap"),
        ("load", 4000, 4000, 4000, "at the tokens that requests allow"),
    ],
)
def test_answers_are_as_long_as_requests_allow(kind: str, cap: int | None, likely: int, most: int, words: str) -> None:
    """A load's are what it asks for; a task's at most what is usual; those without a cap are what is usual."""
    made, short = _capped(kind, cap, 60), _capped(kind, 1, 60)
    assert room_of(made).words == words
    found = _answers(made, short)
    # The number itself stands in the body.
    assert found == pytest.approx((TOKEN_BYTES * (likely - 1), TOKEN_BYTES * (most - 1)), abs=100)


def test_who_sets_no_cap_among_others_is_counted() -> None:
    """Of a mixed plan it is said for how many of its requests a length had to be taken."""
    samples = [_asked(f"s{number}", 5000 if number else None) for number in range(4)]
    found = room_of(plan([task("sums", samples)], [endpoint()]))
    assert (
        found.words
        == "at the tokens that requests allow, in tasks 1,000 at most, and 1,000 for each of 1 that set no cap"
    )


def test_a_whole_answer_has_no_events() -> None:
    """Where nothing is streamed a token is a few bytes of text."""
    found = _answers(_capped("quality", 500, 60, stream=False), _capped("quality", 1, 60, stream=False))
    assert found == pytest.approx((WHOLE_TOKEN_BYTES * 499,) * 2, abs=100)


def test_answers_that_may_be_too_long_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is likely fits, what requests allow does not: the run begins, and one line says both figures."""
    made = _capped("quality", 30_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10**9, 10**9, 20_000_000))
    assert refuse_no_room(tmp_path, _capped("quality", 300)) is None
    told = refuse_no_room(tmp_path, made)
    assert told is not None
    assert "has 20.0 MB free: enough for this run at the tokens that requests allow, in tasks 1,000 at most" in told
    assert "(73." in told
    watcher = Watcher()
    asked = task("sums", [_asked("one", 100_000)])
    with Loopback([sized(b"{}")]) as server:
        made = plan([asked], [endpoint(base_url=f"http://127.0.0.1:{server.port}/v1")])
        sitting.start(made, results=tmp_path, company=Company(watcher))
    assert any("not for answers as long as they may be (44." in line for line in watcher.lines)


def test_more_requests_and_longer_prompts_need_more() -> None:
    """Each request needs what was measured for one, and what it asks besides; a large plan is looked at in part."""
    few, long, many = _capped("quality", 10), plan([LONG], [endpoint()]), _capped("quality", 10, 9_000)
    assert room_of(few).likely > 6 * REQUEST_BYTES
    assert room_of(long).likely - room_of(few).likely > 6 * 100_000
    assert room_of(many).likely - (8 << 20) == pytest.approx(1_500 * (room_of(few).likely - (8 << 20)), rel=0.01)


def test_the_rest_of_a_run_is_as_large_as_what_it_has() -> None:
    """What is left when the disk was full is taken by the records that are there; without any, by the usual answer."""
    usual = REQUEST_BYTES + TOKEN_BYTES * USUAL_TOKENS
    assert for_rest(10, 0, 0) - for_rest(0, 0, 0) == 20 * usual
    assert for_rest(10, 5, 500_000) - for_rest(0, 5, 500_000) == 20 * 100_000


def test_what_a_real_run_leaves_is_within_the_estimate(tmp_path: Path) -> None:
    """The folder of a load takes no more than was estimated, and more than half of it; the fixed part is apart."""
    running = start(Serve("simulator", {"profile": "null", "tokens": 150, "itl_ms": 1}))
    try:
        made = _capped("load", 150, 100).served_at({"p": running.base_url})
        sat = sitting.start(made, results=tmp_path, company=Company(Watcher()))
    finally:
        running.stop()
    taken = sum(path.stat().st_size for path in sat.folder.root.iterdir())
    room = room_of(made).likely - (8 << 20)
    assert room / 2 < taken < room


def test_where_there_is_room_nothing_is_left_behind(tmp_path: Path) -> None:
    """The trial leaves no trace."""
    refuse_no_room(tmp_path / "new", plan([SUMS], [endpoint()]))
    assert list((tmp_path / "new").iterdir()) == []
