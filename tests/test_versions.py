"""The life of the format: every file says its version, older ones are read, newer ones are refused politely."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from harness.errors import StoreError
from harness.integrity import whole
from harness.record import versions
from harness.record.folder import RunFolder, list_runs
from harness.record.journal import read_attempts
from harness.store import query
from harness.store.columns import SEALED
from harness.store.index import publish
from harness.store.seal import seal

STORES = Path(__file__).parent / "stores"
"""By version, runs as its code wrote them: of 1 one by its first code and one by its last."""
RUNS = [
    pytest.param(run, id=f"{store.name}-{run.id}") for store in sorted(STORES.iterdir()) for run in list_runs(store)
]


@pytest.mark.parametrize("run", RUNS)
def test_what_any_version_wrote_is_read(run: RunFolder, tmp_path: Path) -> None:
    """Published, checked and sealed again, each run of each version gives its rows and agrees with itself."""
    copy = RunFolder(Path(shutil.copytree(run.root, tmp_path / "runs" / run.id)))
    attempts = list(read_attempts(copy))
    assert attempts
    for step in (lambda: None, lambda: seal(copy)):
        step()
        assert publish(tmp_path).problems == ()
        assert query.rows(tmp_path, "select count(*) as n from attempts") == [{"n": len(attempts)}]
        assert [one for one in whole.check(tmp_path, [copy]) if one.wrong] == []


def test_there_is_a_store_of_each_version() -> None:
    """Whoever makes a version keeps what it wrote."""
    assert sorted(int(path.name) for path in STORES.iterdir()) == list(range(1, versions.VERSION + 1))


def test_every_file_says_its_version() -> None:
    """Today's run.json, plan, journal, scores, verdicts and Parquet files, and the database."""
    for run in list_runs(STORES / str(versions.VERSION)):
        assert json.loads(run.manifest_path.read_bytes())["schema_version"] == versions.VERSION
        for path in (run.plan_path, run.journal_path(0), run.scores_path, run.verdicts_path):
            assert {json.loads(line)["v"] for line in path.read_bytes().splitlines()} <= {versions.VERSION}
        with duckdb.connect() as connection:
            for table in SEALED:
                if (path := run.parquet_path(table)).exists():
                    assert query.parquet_version(connection, path) == versions.VERSION


def test_an_older_manifest_is_read_by_a_pure_function() -> None:
    """Levels of version 1 get what the command line said of how long they last; what was given is not changed."""
    before = {
        "schema_version": 1,
        "selection": {"changes": {"duration_s": 5.0}},
        "loads": [{"name": "chat", "levels": [{"stage": "load.chat@c1", "n": 4}]}],
    }
    text = json.dumps(before).encode()
    (load,) = versions.manifest_of(text)["loads"]
    assert load["levels"] == [{"duration_s": 5.0, "stage": "load.chat@c1", "n": 4}]
    assert json.dumps(before).encode() == text


@pytest.mark.parametrize("version", [0, 99, None, "2", 1.5])
def test_no_other_version_is_guessed_at(version: object) -> None:
    """What is newer, or no version at all, is refused in one line that says what to do."""
    for read in (
        lambda: versions.manifest_of(json.dumps({"schema_version": version}).encode()),
        lambda: versions.row_of({"v": version}),
    ):
        with pytest.raises(StoreError, match="Update endpoint-harness"):
            read()


def test_a_manifest_that_was_changed_is_not_read() -> None:
    """Every figure in it is proved by its checksum, and one without a checksum is of version 1."""
    text = versions.manifest_text({"schema_version": 2, "planned": 3})
    assert versions.manifest_of(text) == {"schema_version": 2, "planned": 3}
    for changed in (text.replace(b"3", b"4", 1), b'{"schema_version": 2, "planned": 3}'):
        with pytest.raises(StoreError, match="checksum"):
            versions.manifest_of(changed)


def test_plans_of_two_versions_that_ask_the_same_have_one_hash() -> None:
    """Lines of today without what version 1 did not write are those of version 1."""
    today = b'{"v":2,"id":"a"}\n{"v":2,"id":"{\\"v\\":2,"}\n'
    before = b'{"id":"a"}\n{"id":"{\\"v\\":2,"}\n'
    assert versions.plan_as_stored(today, before) == before
    assert versions.plan_as_stored(today, today) == today
