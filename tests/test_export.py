"""Results for other programs: files of three formats, and a data frame; no formula, and nothing but the results."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from published import attempt, make_run, score

import harness
from harness.cli import cli
from harness.errors import HarnessError, StoreError, UnknownName, UsageError
from harness.store.export import export
from harness.store.index import publish

OK = {"send0": 10, "tok1": 110, "vis1": 110, "tokn": 310, "eof": 330}
EVIL = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "plain",
    'a "quoted", one',
    "\x1b[31mred",
    "a\nb",
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run whose answers are hostile."""
    scores = [score(f"s{n}", 1.0, answer=text) for n, text in enumerate(EVIL)]
    make_run(tmp_path / "r", attempts=[attempt("a", ms=OK, chunk_events=[1, 2])], scores=scores)
    publish(tmp_path / "r")
    return tmp_path / "r"


def run(results: Path, *argv: str) -> None:
    """Export by the command; its error is raised."""
    done = CliRunner().invoke(cli, ["db", "export", *argv, "--results", str(results)])
    if done.exception is not None:
        raise done.exception


def test_a_table_in_three_formats(results: Path, tmp_path: Path) -> None:
    """The same rows in each; Parquet and JSON lines keep types and every character."""
    for ending in ("parquet", "csv", "jsonl"):
        run(results, "scores", "--out", str(tmp_path / f"x.{ending}"))
    packed = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert sorted(row["answer"] for row in packed) == sorted(EVIL)
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert lines == packed
    with (tmp_path / "x.csv").open(newline="") as file:
        assert [row["sample"] for row in csv.DictReader(file)] == [row["sample"] for row in packed]


def test_csv_gives_no_formula_and_steers_no_terminal(results: Path, tmp_path: Path) -> None:
    """What a spreadsheet would calculate begins with an apostrophe, names of columns too; numbers stay numbers."""
    asked = 'select answer, -1 as n, null as nothing, \'x\' as "=a""b" from scores order by sample'
    run(results, "--query", asked, "--format", "csv", "--out", str(tmp_path / "x"))
    with (tmp_path / "x").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["answer", "n", "nothing", "'=a\"b"]
    assert [row[0] for row in rows] == [
        *("'" + text for text in EVIL[:6]),
        *("plain", 'a "quoted", one', "\ufffd[31mred", "a\nb"),
    ]
    assert {tuple(row[1:]) for row in rows} == {("-1", "", "x")}


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        ((), UsageError),
        (("scores", "--query", "select 1"), UsageError),
        (("score",), UnknownName),
        (("itl",), UsageError),
        (("--query", "selec 1"), UsageError),
        (("--query", "select 1; select 2"), UsageError),
        (("--query", "copy scores to '{out}.2'"), UsageError),
        (("--query", "select * from read_csv('/etc/passwd')"), UsageError),
        (("--query", "select 1) to '{out}.2' (format csv); --"), UsageError),
        (("--query", "select 1 as a, 2 as A"), UsageError),
    ],
)
def test_what_is_refused_leaves_no_file(
    results: Path, tmp_path: Path, argv: tuple[str, ...], error: type[HarnessError]
) -> None:
    """A query that does not read the results, or none, ends in one line; what the file held before stays."""
    out = tmp_path / "x.csv"
    out.write_text("before")
    with pytest.raises(error) as caught:
        run(results, "--out", str(out), *(one.replace("{out}", str(out)) for one in argv))
    assert "\n" not in str(caught.value)
    assert out.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"x.csv", "r"}


def test_a_name_without_an_ending_needs_a_format(results: Path, tmp_path: Path) -> None:
    """It is not guessed."""
    with pytest.raises(UsageError, match="--format is needed"):
        run(results, "scores", "--out", str(tmp_path / "x"))


def test_a_file_may_have_any_name(results: Path, tmp_path: Path) -> None:
    """Quotes in it end no SQL."""
    target = tmp_path / 'it\'s "one".jsonl'
    assert export(results, "from scores", target, "jsonl") == len(EVIL)
    assert len(target.read_text().splitlines()) == len(EVIL)


def test_results_are_a_data_frame(results: Path) -> None:
    """A table, a view, or a query with values; counts are whole numbers, and what is not known is missing."""
    frame = harness.results(folder=results)
    assert frame["n"].tolist() == [1]
    assert frame["cost_usd"].isna().all()
    assert len(harness.results("scores", folder=results)) == len(EVIL)
    asked = harness.results(
        query="select answer from scores where sample = $which", params={"which": "s6"}, folder=results
    )
    assert asked["answer"].tolist() == ["plain"]
    with pytest.raises(UnknownName, match="scores"):
        harness.results("scoress", folder=results)
    with pytest.raises(StoreError, match="harness db rebuild"):
        harness.results(folder=results / "nowhere")


def test_nobody_pays_for_a_frame_that_is_not_asked_for() -> None:
    """`import harness` loads neither DuckDB nor pandas."""
    code = "import sys, harness; print([one for one in ('pandas', 'duckdb') if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
