"""Before anything is sent: the results may be written, and they fit."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from made import Watcher, endpoint, plan, sample, task

from harness.errors import StoreError
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.room import RECORD_BYTES, bytes_needed, refuse_no_room

SUMS = task("sums", [sample(f"s{n}") for n in range(6)])
LONG = task("long", [sample(f"s{n}", "x" * 100_000) for n in range(6)])
_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024 - as shutil's own


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how much there is and how much is needed, exit code 5; no run folder is left, nothing was sent."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10**9, 10**9, 1_000_000))
    with pytest.raises(
        StoreError, match=r"has 1\.0 MB free, and this run is likely to need 8\.\d MB; nothing was sent"
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


def test_more_requests_and_longer_texts_need_more() -> None:
    """Each request needs what was measured for one, and what it asks besides."""
    small, long = plan([SUMS], [endpoint()]), plan([LONG], [endpoint()])
    for one in (small, long):
        one.lines()
    assert bytes_needed(small) > 6 * RECORD_BYTES
    assert bytes_needed(long) - bytes_needed(small) > 6 * 100_000


def test_where_there_is_room_nothing_is_left_behind(tmp_path: Path) -> None:
    """The trial leaves no trace."""
    refuse_no_room(tmp_path / "new", plan([SUMS], [endpoint()]))
    assert list((tmp_path / "new").iterdir()) == []
