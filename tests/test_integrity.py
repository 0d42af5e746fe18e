"""The checker: what is whole passes, and every damage to every kind of file is found and not silently read."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from published import attempt, make_run

from harness.cli import cli
from harness.errors import StoreError
from harness.integrity import whole
from harness.integrity.finding import Finding
from harness.record.folder import RunFolder, list_runs
from harness.record.journal import read_attempts
from harness.record.line import to_line
from harness.store import query
from harness.store.index import publish
from harness.store.seal import seal

STORES = Path(__file__).parent / "stores"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of today's version and the database made of them."""
    results = tmp_path_factory.mktemp("published")
    shutil.copytree(STORES / "2" / "runs", results / "runs")
    publish(results)
    return results


@pytest.fixture
def results(published: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(published, tmp_path / "results"))


def found(results: Path) -> list[Finding]:
    """What a check finds."""
    return list(whole.check(results, list_runs(results)))


def wrong(results: Path) -> list[Finding]:
    """What of it is wrong."""
    return [one for one in found(results) if one.wrong]


def bad(results: Path) -> RunFolder:
    """The run that is damaged in these tests, the one with scores."""
    return list_runs(results)[0]


def test_what_is_whole_passes(results: Path) -> None:
    """Nothing is found in runs as they were written, and nothing is changed by looking."""
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert found(results) == []
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


# --- every file, every way -------------------------------------------------------------------------------

FILES = (
    "run.json",
    "plan.jsonl",
    "journal-0.jsonl",
    "scores.jsonl",
    "attempts.parquet",
    "texts.parquet",
    "scores.parquet",
    "verdicts.parquet",
)
LINES = ("plan.jsonl", "journal-0.jsonl", "scores.jsonl")


def truncated(path: Path) -> None:
    """The end is missing."""
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path: Path) -> None:
    """Nothing is left."""
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """One bit is another."""
    data = bytearray(path.read_bytes())
    place = random.Random(path.name).randrange(len(data) // 4, len(data) * 3 // 4)
    while chr(data[place]).isspace():
        place += 1
    data[place] ^= 1
    path.write_bytes(data)


def foreign(path: Path) -> None:
    """Somebody else's file."""
    path.write_bytes(b'{"a": 1}\n' * 3 if path.suffix != ".parquet" else b"PAR1 no PAR1")


def twice(path: Path) -> None:
    """The last line stands there twice."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[-1]]))


def lost(path: Path) -> None:
    """A line in the middle is lost."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))


def newer(path: Path) -> None:
    """A newer version wrote it."""
    if path.name == "run.json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({"schema_version": "99"}), path)
    else:
        path.write_bytes(path.read_bytes().replace(b'{"v":2,', b'{"v":99,'))


Damage = Callable[[Path], None]
EVERYWHERE: tuple[Damage, ...] = (truncated, emptied, flipped, foreign, newer, Path.unlink)


def _cases() -> Iterator[Any]:
    for name in FILES:
        for damage in EVERYWHERE + ((twice, lost) if name in LINES else ()):
            yield pytest.param(name, damage, id=f"{name}-{damage.__name__}")


def forgotten(run: RunFolder) -> None:
    """Take the checksums away, so that what is found is found by reading."""
    manifest = run.read_manifest()
    del manifest["sealed"]
    run.write_manifest(manifest)


@pytest.mark.parametrize(("name", "damage"), list(_cases()))
def test_damage_is_found(results: Path, name: str, damage: Damage) -> None:
    """It is wrong, in that run alone, and its file is named."""
    run = bad(results)
    damage(run.root / name)
    told = wrong(results)
    assert told
    assert {one.run for one in told} == {run.id}
    # A line more than was sealed may be a resumed run's; that it stands there twice is told of all journals.
    assert any(one.what.startswith((name, "journals")) for one in told)


@pytest.mark.parametrize(("name", "damage"), [one for one in _cases() if not one.id.endswith("texts.parquet-unlink")])
def test_damage_is_found_without_checksums(results: Path, name: str, damage: Damage) -> None:
    """So it is in a run of before there were any, but for one flipped bit of a packed file."""
    run = bad(results)
    forgotten(run)
    damage(run.root / name)
    told = list(whole.check(results, [run]))
    assert told
    if damage is not flipped and name != "texts.parquet":
        assert any(one.wrong for one in told)


@pytest.mark.parametrize(("name", "damage"), [one for one in _cases() if "parquet" in one.id or "run.json" in one.id])
def test_damaged_rows_are_not_published(results: Path, name: str, damage: Damage) -> None:
    """What a damaged file holds is left out of the database and said to be; the other run is all there."""
    run, other = list_runs(results)
    whole_rows = query.rows(results, "select count(*) as n from attempts where run_id = ?", [other.id])
    damage(run.root / name)
    done = publish(results)
    texts_may_go = name == "texts.parquet" and damage is Path.unlink
    assert [one for one, _ in done.problems] == ([] if texts_may_go else [run.id])
    table = "attempts" if name == "run.json" else name.removesuffix(".parquet")
    assert query.rows(results, f"select * from {table} where run_id = ?", [run.id]) == []
    assert query.rows(results, "select count(*) as n from attempts where run_id = ?", [other.id]) == whole_rows


@pytest.mark.parametrize("damage", [flipped, foreign, newer, lost, truncated, emptied], ids=lambda one: one.__name__)
def test_a_damaged_journal_does_not_take_the_good_rows_with_it(results: Path, damage: Damage) -> None:
    """A run whose journal changed since it was sealed is not sealed again: what is there stays, byte for byte."""
    run = bad(results)
    before = {path: path.read_bytes() for path in run.root.glob("*.parquet")}
    damage(run.journal_path(0))
    with pytest.raises(StoreError, match=r"journal-0\.jsonl"):
        seal(run)
    assert {path: path.read_bytes() for path in run.root.glob("*.parquet")} == before


def test_every_flipped_bit_of_a_journal_is_found_when_it_is_read(results: Path) -> None:
    """Wherever one bit of a journal is flipped, reading it raises StoreError or gives what was written."""
    path = bad(results).journal_path(0)
    data = path.read_bytes()
    truth = list(read_attempts(bad(results)))
    draw = random.Random(7)
    for _ in range(300):
        place, bit = draw.randrange(len(data)), draw.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        try:
            read = list(read_attempts(bad(results)))
        except StoreError:
            continue
        # The last line end gone: the line is taken for one that is still being written.
        assert read == truth or (place == len(data) - 1 and read == truth[:-1])


# --- ends and sums ---------------------------------------------------------------------------------------


def rewritten(run: RunFolder, change: Callable[[list[Any]], list[Any]]) -> None:
    """Write a journal of other attempts, as sound as any, and seal it."""
    path = run.journal_path(0)
    lines = path.read_bytes().splitlines(keepends=True)
    forgotten(run)
    path.write_bytes(lines[0] + b"".join(map(to_line, change(list(read_attempts(run))))))
    seal(run)
    publish(run.root.parent.parent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tries: tries[:-1], "have no end yet"),
        (lambda tries: [*tries, tries[-1]], "stands there twice"),
        (lambda tries: [*tries, replace(tries[-1], number=1)], "2 good answers"),
        (lambda tries: [*tries[:-1], replace(tries[-1], number=1)], "is lost"),
        (
            lambda tries: [*tries, replace(tries[-1], job=replace(tries[-1].job, id="quality.none/p/m/x/0"))],
            "was never planned",
        ),
    ],
    ids=["lost", "twice", "two answers", "a gap", "unplanned"],
)
def test_each_planned_request_ends_once(results: Path, change: Callable[[list[Any]], list[Any]], words: str) -> None:
    """A request without an end, with two, with a gap, or that nobody planned, is found in any sound file."""
    rewritten(bad(results), change)
    assert any(words in one.problem for one in wrong(results))


def test_an_unfinished_run_is_no_damage(results: Path) -> None:
    """Requests that were not sent yet are told with the command that sends them, and the exit code is 0."""
    run = bad(results)
    rewritten(run, lambda tries: tries[:-1])
    run.write_manifest(run.read_manifest() | {"status": "interrupted"})
    publish(results)
    assert wrong(results) == []
    said = [one for one in found(results) if "have no end yet" in one.problem]
    assert said[0].mend == f"harness resume {run.id} --results {results}"


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("attempts", "prompt_tokens = prompt_tokens + 1"),
        ("attempts", "cost_usd = 7"),
        ("attempts", "failure_kind = 'reset'"),
        ("scores", "value = 0.25"),
        ("scores", "fault = 'x'"),
    ],
)
def test_sums_that_differ_are_found(results: Path, table: str, change: str) -> None:
    """Other tokens, costs, failures and scores in Parquet, or in the database alone, are told with what mends them."""
    run = bad(results)
    with duckdb.connect(str(query.database_path(results))) as connection:
        connection.execute(f"update {table} set {change} where run_id = '{run.id}'")
    told = wrong(results)
    assert {one.what for one in told} <= {"harness.duckdb", "report"}
    assert any(f"table {table}" in one.problem for one in told)
    assert {one.mend for one in told} == {f"harness db rebuild --results {results}"}
    publish(results)
    assert wrong(results) == []
    forgotten(run)
    path = run.parquet_path(table)
    with duckdb.connect() as connection:
        connection.execute(f"create table t as from '{path}'; update t set {change}; copy t to '{path}'")
    publish(results)
    assert any(one.what == path.name and one.mend.startswith("harness score") for one in wrong(results))


def test_a_column_of_another_type_is_found(results: Path) -> None:
    """A file of foreign columns is not taken for one of ours."""
    run = bad(results)
    forgotten(run)
    pq.write_table(pa.table({"run_id": ["x"], "job_id": [7]}), run.parquet_path("attempts"))
    assert any("job_id is BIGINT and not VARCHAR" in one.problem for one in wrong(results))


# --- the database, and what lies about -------------------------------------------------------------------


@pytest.mark.parametrize("damage", [truncated, emptied, foreign, Path.unlink], ids=lambda one: one.__name__)
def test_a_damaged_database_is_found_and_mended(results: Path, damage: Damage) -> None:
    """The finding names the command, and the command mends it."""
    damage(query.database_path(results))
    (one,) = wrong(results)
    assert (one.what, one.mend) == ("harness.duckdb", f"harness db rebuild --results {results}")
    assert CliRunner().invoke(cli, ["db", "rebuild", "--results", str(results)]).exit_code == 0
    assert found(results) == []


def test_what_the_database_does_not_know_is_found(results: Path) -> None:
    """A run that came or went since it was made."""
    new = make_run(results, "new", attempts=[attempt("a", ms={"send0": 1, "tok1": 2, "tokn": 3, "eof": 4})])
    assert any(one.run == new.id and "does not know this run" in one.problem for one in wrong(results))
    shutil.rmtree(new.root)
    gone = bad(results)
    shutil.rmtree(gone.root)
    assert [(one.run, one.problem) for one in wrong(results)] == [(gone.id, "holds this run, whose folder is gone")]


def test_leftovers_and_strangers_are_named(results: Path) -> None:
    """What a killed process left, and what is no file of a run, is told and harms nothing."""
    run = bad(results)
    for name in (".attempts.rows.999999999.tmp", "notes.txt", "journal-x.jsonl"):
        (run.root / name).write_bytes(b"x")
    (results / ".harness.duckdb.tmp").write_bytes(b"x")
    assert {one.what for one in found(results)} == {
        *(".attempts.rows.999999999.tmp", "notes.txt", "journal-x.jsonl", ".harness.duckdb.tmp")
    }
    assert wrong(results) == []
    seal(run)
    assert ".attempts.rows.999999999.tmp" not in {path.name for path in run.root.iterdir()}


def test_a_run_that_is_being_written_is_left_alone(results: Path) -> None:
    """Of what is still under way nothing can be said, and nothing is."""
    run = bad(results)
    flipped(run.journal_path(0))
    with run.lock():
        (one,) = found(results)
    assert (one.run, one.wrong) == (run.id, False)
    assert "is being written by process" in one.problem


def test_programs_get_json(results: Path) -> None:
    """With --json one object: how many runs, how much is wrong, and each finding by its names."""
    done = CliRunner().invoke(cli, ["db", "check", "latest", "--json", "--results", str(results)])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"runs": 1, "wrong": 0, "findings": []})
    emptied(list_runs(results)[-1].plan_path)
    done = CliRunner().invoke(cli, ["db", "check", "latest", "--json", "--results", str(results)])
    assert isinstance(done.exception, StoreError)
    assert done.exception.exit_code == 5
    told = json.loads(done.stdout)
    assert told["wrong"] == len(told["findings"]) > 0
    assert told["findings"][0].keys() == {"run", "what", "problem", "mend", "wrong"}
