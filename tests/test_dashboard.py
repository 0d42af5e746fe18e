"""Each page in each state of the results, drawn without a browser; and what charts and tables are made of."""

import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import plotly.graph_objects as go
import pytest
from click.testing import CliRunner
from drawn import APP, HOSTILE, PAGES, open_page, said, two_endpoints
from published import attempt, make_run, manifest

from dashboard import ahead, plain, queries, tables
from harness import config
from harness.cli import cli
from harness.errors import CannotMeasure
from harness.report.charts import marks, timeline
from harness.report.charts.across import Point, across
from harness.report.inert import label, markup
from harness.store.index import publish
from harness.store.query import rows


@pytest.mark.parametrize("page", PAGES)
def test_without_a_database_the_page_says_what_to_type(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without a database is told with the command that makes one, on every page."""
    app = open_page(tmp_path, page, monkeypatch)
    assert "`harness db rebuild --results " in app.info[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_database_is_told(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no database does not crash a page."""
    (tmp_path / "harness.duckdb").write_bytes(b"no database" * 1000)
    app = open_page(tmp_path, page, monkeypatch)
    assert "`harness db rebuild --results " in app.info[0].value


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_database_says_how_to_begin(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first run the page names the command that makes one."""
    publish(tmp_path)
    app = open_page(tmp_path, page, monkeypatch)
    assert "`harness demo`" in app.info[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_run_under_way_is_said_to_be(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is being written has no numbers yet; the page says so and does not show zeros."""
    run = make_run(tmp_path)
    for path in run.root.glob("*.parquet"):
        path.unlink()
    run.write_manifest(manifest(run, status="running"))
    with run.lock():
        publish(tmp_path)
        app = open_page(tmp_path, page, monkeypatch)
    assert "under way" in app.info[0].value
    assert "0 %" not in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_broken_off_run_says_how_to_finish_it(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted run is shown with what it has, and with the command that goes on."""
    run = two_endpoints(tmp_path, status="interrupted")
    app = open_page(tmp_path, page, monkeypatch)
    assert f"`harness resume {run.id}`" in app.warning[0].value


@pytest.mark.parametrize("page", PAGES)
def test_a_run_with_a_problem_is_shown_with_it(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged Parquet file costs its own rows; the page says which file it was."""
    run = two_endpoints(tmp_path)
    run.parquet_path("scores").write_bytes(b"no parquet")
    publish(tmp_path)
    app = open_page(tmp_path, page, monkeypatch)
    assert "scores" in app.warning[0].value
    assert "missing" in app.warning[0].value


def test_a_run_without_a_manifest_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a run whose manifest is damaged says so; another run can still be chosen."""
    broken, good = make_run(tmp_path, "broken"), two_endpoints(tmp_path)
    broken.manifest_path.write_text("{")
    publish(tmp_path)
    app = open_page(tmp_path, PAGES[0], monkeypatch, run=broken.id)
    assert "run.json`" in said(app)
    app.selectbox(key="run").select(good.id).run()
    assert not app.exception
    assert "p/m" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_stale_link_shows_another_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a run that is gone says so, in plain letters, and shows the newest run instead."""
    run = two_endpoints(tmp_path)
    app = open_page(tmp_path, page, monkeypatch, run=HOSTILE)
    assert "There is no run" in app.warning[0].value
    assert plain.code(HOSTILE) in app.warning[0].value
    assert app.selectbox(key="run").value == run.id


@pytest.mark.parametrize("page", PAGES)
def test_a_link_opens_its_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``?run=<id>`` shows that run and not the newest."""
    old = two_endpoints(tmp_path)
    newer = make_run(tmp_path, "newer")
    newer.write_manifest(manifest(newer, created_at="2026-02-01T00:00:00.000+00:00"))
    publish(tmp_path)
    assert open_page(tmp_path, page, monkeypatch).selectbox(key="run").value == newer.id
    assert open_page(tmp_path, page, monkeypatch, run=old.id).selectbox(key="run").value == old.id


PARTS = {
    "decide": (
        [
            "Who is worth looking at",
            "How many requests are inside your limits",
            "What a month costs",
            "What if the cheapest were asked first",
            "Errors by class",
        ],
        5,
        ["100 % [21–100] n=1", "100 [100–100] n=6", "1 of 8", "kernel time stamps on"],
    ),
    "compare": (
        ["What differs", "How times are spread", "What else differs: configuration"],
        1,
        [" same, ", "≈ same", "A: 6 of 6 drawn", "could have seen"],
    ),
    "load": (
        ["Was the load put on as planned?", "Errors by class", "Client and server"],
        4,
        ["Load levels", "not enough data", "1 of 13 requests failed", "not even the lowest level"],
    ),
    "features": (["Matrix", "Support by surface"], 0, ["0.0 %", "1 broken"]),
    "fidelity": ([], 0, ["This run is no verification"]),
    "quality": (
        ["Scores", "Cost of a right answer", "One task", "What the scores rest on"],
        1,
        ["100 % [21–100] n=1", "1 of 1"],
    ),
}
"""Of each page: its headings, how many charts it draws, and some of what it says."""


@pytest.mark.parametrize("page", PARTS)
def test_a_page_has_its_parts(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables and charts are there, and their numbers are the report's."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, f"views/{page}.py", monkeypatch)
    heads, charts, texts = PARTS[page]
    assert [head.value for head in app.subheader] == heads
    assert len(app.get("plotly_chart")) == charts
    for text in texts:
        assert text in said(app)


def test_one_attempt_is_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt in the address is shown with job, verdicts, marks, request and text; purged texts are told."""
    run = two_endpoints(tmp_path)
    app = open_page(tmp_path, "views/runs.py", monkeypatch, job="load/b/m/0", **{"try": "0"})
    assert not app.exception
    assert "One attempt" in [head.value for head in app.subheader]
    assert len(app.get("plotly_chart")) == 1
    assert "first output event" in said(app)
    assert "stream.usage" in said(app)
    run.parquet_path("texts").unlink()
    publish(tmp_path)
    app.run()
    assert not app.exception
    assert "not kept" in said(app)


def test_neighbours_of_an_attempt_are_a_click_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Next and previous go through the table as it is filtered and ordered."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, "views/runs.py", monkeypatch, job="load/b/m/0", endpoint="b/m", stage="load.chat@c1")
    next(button for button in app.button if button.label == "Next").click().run()
    assert "load/b/m/1  try 0" in said(app)
    next(button for button in app.button if button.label == "Previous").click().run()
    assert "load/b/m/0  try 0" in said(app)
    assert "Previous" not in [button.label for button in app.button]


def test_an_attempt_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale link to an attempt says so in plain letters and the page stands."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, "views/runs.py", monkeypatch, job=HOSTILE, **{"try": "x"})
    assert plain.code(f"{HOSTILE} try x") in app.warning[0].value


@pytest.mark.parametrize(("which", "left"), [("all", 15), ("failed", 1), ("wrong", 1), ("probes", 0)])
def test_attempts_are_filtered(which: str, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter keeps the failed, the wrong, the probes; the address names it."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, "views/runs.py", monkeypatch, show=which)
    shown = [frame.value for frame in app.dataframe][1:]
    assert [len(frame) for frame in shown] == ([left] if left else [])


@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_is_never_obeyed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and texts full of markup reach neither HTML nor Markdown unescaped."""
    two_endpoints(tmp_path, HOSTILE)
    app = open_page(tmp_path, page, monkeypatch)
    for block in app.get("html"):
        assert "<script" not in block.proto.body
        assert "<img" not in block.proto.body
        assert "<a " not in block.proto.body
    for block in (*app.markdown, *app.caption, *app.info, *app.warning):
        assert "<b>" not in block.value.replace(plain.code(HOSTILE), "")


def test_publishing_is_never_held_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process publishes while a page is open; the page shows the new run at its next drawing."""
    two_endpoints(tmp_path)
    app = open_page(tmp_path, PAGES[0], monkeypatch)
    new = make_run(tmp_path, "later")
    code = "import sys, pathlib; from harness.store.index import publish; publish(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    app.run()
    assert not app.exception
    assert new.id in app.selectbox(key="run").options
    assert len(rows(tmp_path, "from runs")) == 2


MARKS = {"a/m": 0, "b/m": 1}


def test_a_page_is_of_one_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is replaced while a page is drawn is not seen before the next page, not even its version."""
    make_run(tmp_path, "first", attempts=[attempt("a")])
    publish(tmp_path)
    monkeypatch.setattr(sys, "argv", ["app.py", str(tmp_path)])
    with queries.one_database():
        before = queries.version()
        make_run(tmp_path, "second", attempts=[attempt("a")])
        publish(tmp_path)
        assert queries.version() == before
        assert rows(tmp_path, "select count(*) as n from runs") == [{"n": 1}]
    assert queries.version() != before
    assert rows(tmp_path, "select count(*) as n from runs") == [{"n": 2}]


def test_what_pages_import_is_found() -> None:
    """The modules that are fetched ahead are those that the pages name, and some that libraries fetch late."""
    found = list(ahead.modules())
    assert {"dashboard.trend_queries", "harness.report.charts.nights", "streamlit.emojis"} <= {*found}
    assert len(found) == len({*found})


def test_a_measure_is_drawn_from_run_to_run_with_gaps() -> None:
    """Runs stand in the order in which they come; a run without the measure is a gap; a bound not known has no bar."""
    points = [Point("r2", "a/m", 10.0, 8.0, None, 3), Point("r1", "a/m", None, None, None, None)]
    figure = across([*points, Point("r1", "b/m", 5.0, 4.0, 7.0, 6)], "TTFT", MARKS)
    assert figure is not None
    assert figure.layout.xaxis.categoryarray == ("r2", "r1")
    assert figure.data[0].y == (10.0, None)
    assert (figure.data[0].error_y.array, figure.data[0].error_y.arrayminus) == ((None, None), (2.0, None))
    assert (figure.data[1].error_y.array, figure.data[1].error_y.arrayminus) == ((2.0,), (1.0,))
    assert across(points[1:], "TTFT", MARKS) is None


def test_every_endpoint_has_a_look_of_its_own() -> None:
    """The first 36 endpoints differ in colour or shape."""
    assert len({(marks.colour(i), marks.symbol(i)) for i in range(36)}) == 36


def test_plotly_labels_hold_no_tags() -> None:
    """Plotly reads tags in labels and hover texts: none gets there."""
    figure = across([Point(HOSTILE, HOSTILE, 1.0, 0.5, 2.0, 3)], "TTFT", {HOSTILE: 0})
    assert isinstance(figure, go.Figure)
    texts = [figure.data[0].name, figure.data[0].hovertemplate, *(figure.layout.xaxis.categoryarray or ())]
    assert not [text for text in texts if "<b>" in text or "<a" in text or "<s" in text or "<i" in text]


def test_a_timeline_has_only_what_happened() -> None:
    """Marks that did not happen are no phases; the time to first token runs from sending to the first output."""
    row = attempt("j", ms={"sched": 0, "admit": 5, "send0": 10, "tok1": 110, "tokn": 310, "eof": 312})
    row |= {"chunk_delta_us": [100_000, 200_000], "chunk_events": [1, 3]}
    stretches = {phase.name: (phase.start_ms, phase.end_ms) for phase, _ in timeline.phases(row)}
    assert stretches == {
        "wait for limits": (-10, -5),
        "time to first token": (0, 100),
        "output": (100, 300),
        "close": (300, 302),
    }
    figure = timeline.figure(row)
    assert figure is not None
    assert figure.data[0].x == (100.0, 300.0)
    assert figure.data[0].y == (1, 4)
    unsent = attempt("k") | {"chunk_delta_us": None}
    assert [phase.name for phase, _ in timeline.phases(unsent)] == ["wait for limits"]


def test_text_is_made_plain_for_each_reader() -> None:
    """HTML is escaped, for Markdown what is no plain word is code, and commands in our own messages stay commands."""
    assert markup('<a href="x">&') == "&lt;a href=&quot;x&quot;&gt;&amp;"
    assert plain.code("a*b $x$ <b>") == "`a*b $x$ <b>`"
    assert plain.code("a ` b `` c\n\nd") == "``` a ` b `` c d ```"
    told = plain.message("res/a_b is gone (or 'not' there). Make it with `harness db rebuild`, *now*")
    assert told == "`res/a_b` is gone (or 'not' there). Make it with `harness db rebuild` , `*now*`"
    assert plain.message("see http://evil.example :material/home: x@y.z") == (
        "see `http://evil.example` `:material/home:` `x@y.z`"
    )
    assert len(label("x" * 1000)) < 70
    assert "900000 more characters" in plain.beginning("x" * 1_000_000)


def test_a_table_says_what_its_columns_mean() -> None:
    """Cells are escaped, a dash is faint, numbers stand right, a head explains itself."""
    columns = [tables.Column("who"), tables.number("n", "how <many>")]
    html = tables.as_html("t", columns, [(tables.Cell("<x>", 1), "–")])
    assert "■" in html
    assert "&lt;x&gt;" in html
    assert '<td class="n none">–</td>' in html
    assert 'title="how &lt;many&gt;"' in html


def test_the_command_needs_results(tmp_path: Path) -> None:
    """Without a database the command says which one to type first."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "dashboard", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 5
    assert "harness demo" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """A port in use ends the command with one line, before a server is tried."""
    publish(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(cli, ["dashboard", "--results", str(tmp_path), "--port", str(port)])
    assert isinstance(done.exception, CannotMeasure)
    assert "--port" in str(done.exception)


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `harness dashboard` in docs/dashboard.md begins to serve."""
    page = (APP.parents[1] / "docs" / "dashboard.md").read_text("utf-8")
    commands = [line.partition(" #")[0] for line in page.splitlines() if line.startswith("harness dashboard")]
    assert len(commands) == 3
    for folder in ("results", "nightly/results"):
        publish(tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    served: list[list[str]] = []
    monkeypatch.setattr("harness.cli.dashboard._free", lambda host, port: port)  # this machine's may be taken
    monkeypatch.setattr("os.execv", lambda program, arguments: served.append(arguments))
    for command in commands:
        done = CliRunner().invoke(cli, shlex.split(command)[1:])
        assert done.exit_code == 0, (command, done.exception)
    assert [arguments[-1] for arguments in served] == [
        str(tmp_path / path) for path in ("results", "nightly/results", "results")
    ]


def test_the_pages_work_from_a_wheel(tmp_path: Path) -> None:
    """The app is found as shipped, and its pages find each other from wherever the folder lies."""
    assert (config.shipped("dashboard") / "app.py").is_file()
    shutil.copytree(APP.parent, tmp_path / "shipped" / "dashboard")
    publish(tmp_path / "results")
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "at, results = sys.argv[1:]; sys.argv = ['app.py', results]\n"
        "app = AppTest.from_file(at + '/dashboard/app.py', default_timeout=60).run()\n"
        "import dashboard; print(dashboard.__file__, app.info[0].value, len(app.exception))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "shipped"), str(tmp_path / "results")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60)
    own = tmp_path / "shipped" / "dashboard" / "__init__.py"
    assert done.stdout.strip() == f"{own} No runs yet. Make one with `harness demo` 0", done.stderr
