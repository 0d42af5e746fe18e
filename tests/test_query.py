"""Publishing and asking: the newest is read, nobody blocks anybody, one bad run costs no other, SQL reaches nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from published import attempt, make_run, manifest, score

from harness.cli import db, runs, sql, tables
from harness.errors import StoreError, UnknownName, UsageError
from harness.record.folder import create
from harness.record.journal import Journal
from harness.store import query
from harness.store.index import publish

OK = {"send0": 10, "tok1": 110, "vis1": 110, "tokn": 310, "eof": 330}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with one run, published."""
    make_run(tmp_path, attempts=[attempt("a", ms=OK, completion_tokens=3, chunk_events=[1, 2])])
    publish(tmp_path)
    return tmp_path


def count(results: Path) -> int:
    """Runs in the published database."""
    (row,) = query.rows(results, "select count(*) as n from runs")
    return int(row["n"])


@contextmanager
def child(code: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python process under way, ended at the end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_the_newest_is_read_beside_an_old_connection(results: Path) -> None:
    """In one process: an open reader keeps its snapshot, one opened after a publish sees the new database."""
    with query.read_only(results) as old:
        make_run(results, "second")
        publish(results)
        assert count(results) == 2
        make_run(results, "third")
        publish(results)
        assert count(results) == 3
        assert old.execute("select count(*) from attempt_metrics").fetchall() == [(1,)]
        assert old.execute("select count(*) from runs").fetchall() == [(1,)]


def test_a_reading_process_does_not_block_publishing(results: Path) -> None:
    """Another process holds the database open; a publish goes through, and it reads the new one when it opens again."""
    code = """
import sys
from pathlib import Path
from harness.store import query
results = Path(sys.argv[1])
ask = "select count(*) from runs"
with query.read_only(results) as old:
    print(old.execute(ask).fetchall(), flush=True)
    sys.stdin.readline()
    with query.read_only(results) as new:
        print(old.execute(ask).fetchall(), new.execute(ask).fetchall(), flush=True)
"""
    with child(code, str(results)) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "[(1,)]\n"
        make_run(results, "second")
        publish(results)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "[(1,)] [(2,)]\n"


def test_a_publishing_process_does_not_block_readers(results: Path) -> None:
    """Another process is half-way through building; the present database is read all the same."""
    code = """
import sys
from pathlib import Path
from harness.store import index, query
def stop(connection, run):
    print("half-way", flush=True)
    sys.stdin.readline()
index.add_run = stop
index.publish(Path(sys.argv[1]))
"""
    with child(code, str(results)) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == "half-way\n"
        assert count(results) == 1


def test_publishing_after_a_killed_publisher(results: Path) -> None:
    """What a killed publisher left behind is taken away; nothing but the database remains."""
    (results / ".harness.duckdb.tmp").write_bytes(b"half")
    (results / ".harness.duckdb.tmp.wal").write_bytes(b"half")
    publish(results)
    assert count(results) == 1
    assert {path.name for path in results.glob("[!.]*")} == {"runs", "harness.duckdb"}
    assert not list(results.glob(".harness.duckdb.tmp*"))


def test_the_plain_duckdb_opens_it_from_any_folder(results: Path) -> None:
    """The file stands for itself: no path in a view, no extension, no harness needed."""
    code = """
import duckdb, sys
found = duckdb.connect(sys.argv[1], read_only=True).execute("select ttft_ms from attempt_metrics").fetchall()
assert found == [(100.0,)], found
"""
    path = query.database_path(results).resolve()
    subprocess.run([sys.executable, "-c", code, str(path)], cwd="/", check=True, timeout=60)


def test_a_running_run_is_listed(results: Path) -> None:
    """An unsealed run that its process still writes is running; one whose process is gone is interrupted."""
    run = create(results, "live")
    run.write_manifest(manifest(run, status="running"))
    with run.lock():
        assert publish(results).problems == ()
        (row,) = query.rows(results, "select status, sealed, problem from runs where run_id = ?", [run.id])
        assert row == {"status": "running", "sealed": False, "problem": None}
    publish(results)
    (row,) = query.rows(results, "select status, problem from runs where run_id = ?", [run.id])
    assert row["status"] == "interrupted"
    assert "harness resume" in row["problem"]


def damaged(results: Path, kind: str) -> str:
    """Add a run that is damaged in one way; its id."""
    run = make_run(results, "bad", attempts=[attempt("z", ms=OK)], scores=[score("z", 1.0)])
    path = run.parquet_path("attempts")
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "other columns":
        pq.write_table(pa.table({"x": [1]}), path)
    elif kind == "other types":
        table = pq.read_table(path)
        place = table.column_names.index("send0_ns")
        pq.write_table(table.set_column(place, "send0_ns", pa.array(["soon"])), path)
    elif kind == "null where none may be":
        pq.write_table(pq.read_table(path).set_column(3, "endpoint", pa.array([None], pa.string())), path)
    elif kind == "no scores":
        run.parquet_path("scores").unlink()
    elif kind == "no manifest":
        run.manifest_path.unlink()
    elif kind == "odd manifest":
        run.write_manifest(manifest(run, endpoints=[{"id": 7}], seed="x", planned={"a": 1}))
    elif kind == "odd text":
        run.write_manifest(manifest(run, suite="\ud800"))
    elif kind == "odd seed":
        run.write_manifest(manifest(run, seed={"a": ["b"]}))
    elif kind == "future manifest":
        run.write_manifest(manifest(run, schema_version=99))
    return run.id


KINDS = [
    *("cut short", "empty", "other columns", "other types", "null where none may be"),
    *("no scores", "no manifest", "odd manifest", "odd text", "odd seed", "future manifest"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_run_costs_no_other(results: Path, kind: str) -> None:
    """The others are all there, the bad one is listed, and its problem is one line."""
    bad = damaged(results, kind)
    done = publish(results)
    assert [run for run, _ in done.problems] == [bad]
    assert count(results) == 2
    (row,) = query.rows(results, "select problem from runs where run_id = ?", [bad])
    assert row["problem"] == done.problems[0][1]
    assert "\n" not in row["problem"]
    assert query.rows(results, "select job_id from attempts where run_id <> ?", [bad]) == [{"job_id": "a"}]


def test_purged_texts_are_no_problem(results: Path) -> None:
    """Texts lie apart so that they can be taken away."""
    run = make_run(results, "purged", attempts=[attempt("b", ms=OK)])
    run.parquet_path("texts").unlink()
    assert publish(results).problems == ()


def test_a_renamed_folder_is_a_run_of_its_new_name(results: Path) -> None:
    """A copied run does not mix its rows with those of the first."""
    run = make_run(results, "first", attempts=[attempt("b", ms=OK)])
    run.root.rename(run.root.with_name("kept.baseline"))
    assert publish(results).problems == ()
    assert query.rows(results, "select job_id from attempts where run_id = 'kept.baseline'") == [{"job_id": "b"}]


def test_an_empty_results_folder_is_published(tmp_path: Path) -> None:
    """No runs, no rows, no error."""
    assert publish(tmp_path / "new").runs == 0
    assert query.rows(tmp_path / "new", "select * from endpoint_summary") == []


def test_a_frame_keeps_nulls_and_whole_numbers(results: Path) -> None:
    """Counts are integers for pandas too."""
    frame = query.frame(results, "select n, n_ok, ttft_n, features_judged, quality_mean from endpoint_summary")
    assert frame.dtypes.astype(str).tolist()[:4] == ["int64"] * 4
    assert frame["quality_mean"].isna().all()


# --- the user's SQL --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "select 1 as x",
        "from runs",
        "with a as (select 1) from a",
        "show tables",
        "describe runs",
        "values (1);",
        "table runs",
    ],
)
def test_queries_are_answered(results: Path, text: str) -> None:
    """Whatever reads may be asked."""
    assert query.user_sql(results, text).rows


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-- nothing",
            "selec 1",
            "select * from nowhere",
            "select 1; select 2",
            "select 'a'::int",
            "select '\ud800'",
        ),
        *(
            "create table t (i int)",
            "create temp table t as select 1",
            "insert into runs (run_id, sealed) values ('x', true)",
        ),
        *("drop view attempt_metrics", "with x as (delete from runs returning *) from x", "delete from runs"),
        *("set threads = 1", "set enable_external_access = true", "reset lock_configuration", "pragma threads = 1"),
        *("detach harness", "use memory", "attach '{db}' as other", "attach ':memory:' as other", "checkpoint"),
        *("use memory; detach harness; attach '{db}' as w; drop view w.run_health", "call pragma_version()"),
        *("explain analyze copy (select 1) to '{db}' (use_tmp_file false)", "copy runs to '{db}' (use_tmp_file false)"),
        *("select * from read_csv('/etc/passwd')", "select * from read_text('/etc/passwd')", "from '/etc/passwd'"),
        *("select * from glob('/*')", "copy runs to '/tmp/never'", "export database '/tmp/never'", "install httpfs"),
        *("select getenv('HOME')", "select * from read_parquet('{db}')", "select * from read_blob('/etc/passwd')"),
        *(
            "select * from read_json('/etc/passwd')",
            "select * from sniff_csv('/etc/passwd')",
            "from 'http://127.0.0.1:1/x'",
        ),
        *("copy (select 1) to '/tmp/never'", "copy runs from '/etc/passwd'", "import database '/tmp'"),
        *("set lock_configuration = false", "set allowed_paths = ['/etc']", "set global temp_directory = '/tmp/never'"),
        *("create secret s (type http)", "create macro m() as 1", "prepare p as select 1", "set variable x = 1"),
        *("select * from query('copy runs to ''/tmp/never''')", "attach 'http://127.0.0.1:1/x.db' as x"),
        *("select * from parquet_metadata('/etc/passwd')", "begin", "force install httpfs", "update extensions"),
        *("load httpfs", "select * from read_csv('http://127.0.0.1:1/x.csv')", "from results", "vacuum"),
    ],
)
def test_everything_else_is_refused_in_one_line(results: Path, text: str) -> None:
    """No change, no file, no network, no setting, no variable of ours; the database stays as it was."""
    before = query.database_path(results).read_bytes()
    with pytest.raises(UsageError) as caught:
        query.user_sql(results, text.replace("{db}", str(query.database_path(results))))
    assert "\n" not in str(caught.value)
    assert query.database_path(results).read_bytes() == before
    assert not Path("/tmp/never").exists()


def test_no_database_says_how_to_make_it(tmp_path: Path) -> None:
    """The hint is the command."""
    with pytest.raises(StoreError, match="harness db rebuild"):
        query.rows(tmp_path, "select 1")


def rubbish(path: Path) -> None:
    """Something that is no database."""
    path.write_bytes(b"rubbish" * 1000)


def foreign(path: Path) -> None:
    """A database that somebody else made."""
    path.unlink()
    duckdb.connect(str(path)).close()


def other_version(path: Path) -> None:
    """A database with other tables and views than today's."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("update store set schema_version = 999")


def flipped(path: Path) -> None:
    """Bytes changed everywhere but in the headers."""
    data = bytearray(path.read_bytes())
    for place in range(12288, len(data), 500):
        data[place] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [rubbish, foreign, other_version, flipped, Path.unlink])
def test_a_bad_database_says_how_to_make_it_anew(results: Path, damage: Any) -> None:
    """One line with the command, and the command mends it."""
    damage(query.database_path(results))
    with pytest.raises(StoreError, match="harness db rebuild") as caught:
        query.rows(results, "select * from attempts")
    assert "\n" not in str(caught.value)
    publish(results)
    assert count(results) == 1


@pytest.mark.parametrize(
    "text",
    [
        "select 1 as a, now() as b, 'x' as a;",
        "with x as (select now() as b) select 1 as a, b, 'x' as a from x -- why",
        "select 1 as a, [now()] as b, 'x' as a",
    ],
)
def test_a_moment_with_a_time_zone_comes_as_text(results: Path, text: str) -> None:
    """No further package is needed for one; names, order and the other values stay as they are."""
    found = query.user_sql(results, text)
    assert found.columns == ["a", "b", "a"]
    ((first, moment, last),) = found.rows
    assert (first, last) == (1, "x")
    assert moment.strip("[]'").startswith("20")


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A mistyped folder is refused by a rebuild, and the hint of a query names the folder that was asked."""
    typo = tmp_path / "typo"
    refused = CliRunner().invoke(db.command, ["rebuild", "--results", str(typo)]).exception
    assert isinstance(refused, StoreError)
    assert not typo.exists()
    asked = CliRunner().invoke(sql.command, ["select 1", "--results", str(typo)]).exception
    assert f"`harness db rebuild --results {typo}`" in str(asked)


# --- the commands ----------------------------------------------------------------------------------------


def invoke(command: Any, *arguments: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_sql_prints_a_table_json_and_csv(results: Path) -> None:
    """The same rows in three forms; NULL is null, empty or nothing; long lines are whole where nobody looks."""
    text = (
        "select 1 as n, null as nothing, 0.1::double as x, [1, 2] as l, 'nan'::double as bad, repeat('y', 300) as long"
    )
    at = ("--results", str(results))
    (row,) = json.loads(invoke(sql.command, text, "--json", *at))
    assert row == {"n": 1, "nothing": None, "x": 0.1, "l": [1, 2], "bad": None, "long": "y" * 300}
    assert invoke(sql.command, text, "--csv", *at) == f'n,nothing,x,l,bad,long\n1,,0.1,"[1, 2]",nan,{"y" * 300}\n'
    shown = invoke(sql.command, text, *at)
    assert "y" * 300 in shown
    assert shown.splitlines()[0].split() == ["n", "nothing", "x", "l", "bad", "long"]
    assert json.loads(invoke(sql.command, "select created_at, {'a': 1.5::decimal} as s from runs", "--json", *at)) == [
        {"created_at": "2026-01-01T00:00:00", "s": {"a": 1.5}}
    ]
    with pytest.raises(UsageError, match="exclude"):
        invoke(sql.command, text, "--csv", "--json", *at)


def test_an_answer_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and markup of a model's text are shown, not obeyed."""
    tables.show(["[red]a"], [["\x1b[31m\x00[bold]b"]])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]a" in out
    assert "\\x1b[31m\\x00[bold]b" in out


@pytest.mark.parametrize(("arguments", "code"), [(["selec 1"], 2), (["select 1", "--results", "{tmp}"], 5)])
def test_exit_codes(results: Path, tmp_path_factory: pytest.TempPathFactory, arguments: list[str], code: int) -> None:
    """A mistake in the query is 2, a missing database 5; both are one line."""
    empty = str(tmp_path_factory.mktemp("empty"))
    command = [sys.executable, "-m", "harness", "sql", "--results", str(results)]
    command += [argument.replace("{tmp}", empty) for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1


def test_rebuild_names_what_it_left_out(results: Path) -> None:
    """People and programs learn which run is damaged."""
    bad = damaged(results, "empty")
    assert bad in invoke(db.command, "rebuild", "--results", str(results))
    told = json.loads(invoke(db.command, "rebuild", "--json", "--results", str(results)))
    assert (told["runs"], [row["run_id"] for row in told["problems"]]) == (2, [bad])


def test_schema_is_described_without_results() -> None:
    """Every table and view with units; one by name; a wrong name is told."""
    assert "ms. NULL" in invoke(db.command, "schema")
    named = json.loads(invoke(db.command, "schema", "runs", "--json"))
    assert {row["table"] for row in named} == {"runs"}
    assert "\nitl(run, job): Inter-token latency" in invoke(db.command, "schema", "itl")
    assert {row["table"] for row in json.loads(invoke(db.command, "schema", "itl", "--json"))} == {"itl(run, job)"}
    with pytest.raises(UnknownName, match="runs"):
        invoke(db.command, "schema", "run")


def test_runs_are_listed_and_shown(results: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the folders, so that damaged and running runs are there; figures come from the database."""
    bad = damaged(results, "no manifest")
    at = ("--results", str(results))
    listed = json.loads(invoke(runs.command, "list", "--json", *at))
    assert {row["run_id"]: row["problem"] is None for row in listed}[bad] is False
    assert [row["endpoints"] for row in listed if row["run_id"] != bad] == [["p/m"]]
    assert bad in invoke(runs.command, "list", *at)
    good = next(row["run_id"] for row in listed if row["run_id"] != bad)
    shown = json.loads(invoke(runs.command, "show", good, "--json", *at))
    assert shown["endpoint_summary"][0]["ttft_p50_ms"] == 100.0
    assert "ttft_p50_ms" in invoke(runs.command, "show", good, *at)
    empty = str(tmp_path_factory.mktemp("empty"))
    assert "no runs" in invoke(runs.command, "list", "--results", empty)
    with pytest.raises(UsageError, match="make one with: harness demo"):
        invoke(runs.command, "show", "latest", "--results", empty)


def test_a_run_is_shown_before_anything_was_published(tmp_path: Path) -> None:
    """No database yet: what the folder knows."""
    run = create(tmp_path, "new")
    run.write_manifest(manifest(run, status="running"))
    Journal(run).close()
    assert json.loads(invoke(runs.command, "show", "--json", "--results", str(tmp_path)))["status"] == "interrupted"


def test_rows_that_do_not_fit_the_building_memory_are_taken_in_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text larger than all the memory that building is given costs memory, never the text."""
    large = tmp_path / "large.parquet"
    pq.write_table(pa.table({"text": ["x" * 20_000_000, "y"]}), large)
    monkeypatch.setitem(query._BUILDING, "memory_limit", "16MB")
    sql = "insert into found select text from read_parquet(?)"
    with query.build(tmp_path / "made.duckdb") as connection:
        connection.execute("create table found (text varchar)")
        with pytest.raises(query.DatabaseError, match="Out of Memory"):
            connection.execute(sql, [str(large)])
        query.take_in(connection, sql, [str(large)])
        assert query.fetch(connection, "select length(text) as n from found order by n", ()).rows == [
            (1,),
            (20_000_000,),
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.parquet", "made.duckdb"]
