"""Run folders: names, the manifest, the lock, and files that are replaced whole or not at all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import files_end_at

from harness.errors import StoreError, UnknownName, UsageError
from harness.record.folder import (
    RunFolder,
    atomic_file,
    create,
    list_runs,
    no_runs,
    open_run,
    results_option,
    write_atomic,
)
from harness.record.versions import VERSION


def test_ids_sort_by_time_and_keep_to_plain_characters(tmp_path: Path) -> None:
    """A run's id is UTC time, a slug and six hex digits, whatever the slug was made of."""
    run = create(tmp_path, "My Suite/ä: 2")
    assert re.fullmatch(r"\d{8}t\d{6}z-my-suite-2-[0-9a-f]{6}", run.id)
    assert run.root == tmp_path / "runs" / run.id
    assert create(tmp_path, "///").id.split("-")[1] == "run"


def test_a_run_is_found_by_id_start_and_latest(tmp_path: Path) -> None:
    """The id, any start that fits one run only, and `latest` name a run; the rest is told with what there is."""
    for name in ("20260101t000000z-a-000001", "20260102t000000z-b-000002", ".trash"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "a-file").touch()
    assert [run.id[-1] for run in list_runs(tmp_path)] == ["1", "2"]
    assert open_run(tmp_path, "20260101").id.endswith("1")
    assert open_run(tmp_path, "20260101t000000z-a-000001").id.endswith("1")
    assert open_run(tmp_path, "latest").id.endswith("2")
    with pytest.raises(UsageError, match="fits 2 runs"):
        open_run(tmp_path, "2026")
    with pytest.raises(UnknownName, match="20260102t000000z-b-000002"):
        open_run(tmp_path, "20260102t000000z-b-000003")
    with pytest.raises(UnknownName):
        open_run(tmp_path, "")


def test_without_a_run_the_way_to_one_is_told(tmp_path: Path) -> None:
    """No run yet: the suggested command finds the same folder, and is short for the default one."""
    with pytest.raises(UsageError, match=r"no runs in .*; make one with: harness demo --results .*nowhere"):
        open_run(tmp_path / "nowhere", "latest")
    assert no_runs(Path("results")) == "no runs in results; make one with: harness demo"
    assert results_option(Path("my results")) == " --results 'my results'"


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    """What is written to run.json is read again."""
    run = create(tmp_path, "x")
    manifest = {"schema_version": VERSION, "id": run.id, "odd": "\ud800é"}
    run.write_manifest(manifest)
    assert run.read_manifest() == manifest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no run.json"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "schema version None"),
        (b'{"schema_version": 99}', "Update endpoint-harness"),
    ],
)
def test_a_bad_manifest_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A manifest that is missing, broken or from the future raises StoreError that says which."""
    run = create(tmp_path, "x")
    if content is not None:
        run.manifest_path.write_bytes(content)
    with pytest.raises(StoreError, match=message) as caught:
        run.read_manifest()
    assert "\n" not in str(caught.value)


def test_journals_are_in_number_order(tmp_path: Path) -> None:
    """Shard 10 comes after shard 2, and only journals count."""
    run = create(tmp_path, "x")
    for name in ("journal-10.jsonl", "journal-2.jsonl", "journal-x.jsonl", "scores.jsonl"):
        (run.root / name).touch()
    assert [path.name for path in run.journals()] == ["journal-2.jsonl", "journal-10.jsonl"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """When the block raises, the old content stays and no temporary file is left."""
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"new", 0])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_space_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    """A file that does not fit raises StoreError, the old one stays whole."""
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with files_end_at(1000), pytest.raises(StoreError, match="no space left to write"):
        write_atomic(path, b"x" * 100_000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A results folder under a plain file raises StoreError."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        create(tmp_path / "file", "x")


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    """A second process is refused with the number of the first; afterwards the lock is free, also after a kill."""
    run = create(tmp_path, "x")
    code = (
        "import sys, pathlib; from harness.record.folder import RunFolder\n"
        f"with RunFolder(pathlib.Path({str(run.root)!r})).lock():\n    print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        assert child.stdout.readline() == b"held\n"
        assert run.writer() == str(child.pid)
        with pytest.raises(StoreError, match=f"is being written by process {child.pid}"), run.lock():
            pass
    finally:
        child.kill()
        child.wait(timeout=60)
        child.stdin.close()
        child.stdout.close()
    assert run.writer() is None
    with run.lock():
        assert run.writer() == str(os.getpid())
    assert run.writer() is None


def test_a_run_without_lock_file_has_no_writer(tmp_path: Path) -> None:
    """A run that nobody ever locked, or whose folder is gone, has no writer."""
    assert RunFolder(tmp_path / "gone").writer() is None
