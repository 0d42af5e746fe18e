"""The page Compare in each state: within a run, since the run before, refused, hostile, many, and with old links."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from drawn import HOSTILE, open_page, said, two_endpoints
from published import EPOCH, attempt, make_run
from streamlit.testing.v1 import AppTest

from dashboard import plain
from harness.record.folder import RunFolder
from harness.report.comparison.baseline import pairs_with
from harness.report.comparison.figures import Alike, compared
from harness.store.index import publish

PAGE = "views/compare.py"


def night(results: Path, day: int, names: dict[str, float], n: int = 40, **changes: Any) -> RunFolder:
    """A run of a load on a day; ``names`` are endpoints with their TTFT in ms. Each tenth request of the last fails."""
    rows = []
    for name, ttft in names.items():
        for i in range(n):
            at = 1000.0 * i
            marks = {
                "sched": at,
                "admit": at,
                "send0": at,
                "tok1": at + ttft + i % 5,
                "tokn": at + 400,
                "eof": at + 400,
            }
            row = attempt(f"{name}/{i}", ms=marks, endpoint=name, sample=str(i), workload_sha256=f"q{i}", api="chat")
            row |= {"completion_tokens": 11, "chunk_events": [1, 10], "started_at": EPOCH + timedelta(milliseconds=at)}
            failed = name == list(names)[-1] and i % 10 == 0
            rows.append(row | ({"failure_kind": "http_5xx", "failure_detail": name} if failed else {}))
    ends = [{"id": name, "provider": "p", "kind": "hosted", "model_id": name, "base_url": None} for name in names]
    told = {"endpoints": ends, "tasks": [], "suite": "night", "created_at": f"2026-01-{day:02}T00:00:00.000+00:00"}
    said_of = {"response_body": None, "text": None, "reasoning": None, "tool_calls_json": "[]", "text_lossy": False}
    texts = [
        {"run_id": "?", "job_id": row["job_id"], "number": 0, "response_headers_json": "[]"}
        | said_of
        | {"request_body": f'{{"messages": [{{"role": "user", "content": "{row["sample"]}"}}]}}'}
        for row in rows
    ]
    run = make_run(results, f"night{day}", about=told | changes, attempts=rows, texts=texts)
    publish(results)
    return run


def cells(app: AppTest, table: str) -> str:
    """The HTML of a table by its name."""
    return next((block.proto.body for block in app.get("html") if f'aria-label="{table}"' in block.proto.body), "")


def test_the_figures_are_those_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, difference, interval and MDE are what ``harness compare`` finds of the same two endpoints."""
    run = night(tmp_path, 1, {"a/m": 100.0, "b/m": 130.0})
    (pair,) = compared(tmp_path, pairs_with(tmp_path, run.id, None, None), Alike(0.05, 0.01))["pairs"]
    (ttft,) = [row for row in pair["groups"][0]["rows"] if row["metric"] == "ttft_ms"]
    app = open_page(tmp_path, PAGE, monkeypatch)
    shown = cells(app, "Comparison in load.chat@c1")
    assert ttft["verdict"] == "worse"
    assert "▼ worse" in shown
    assert f"{ttft['difference']:+.2f}" in shown
    assert f"[{ttft['low']:+.2f}, {ttft['high']:+.2f}]" in shown
    assert f"{ttft['p_adjusted']:.4f}" in shown or "under 0.0001" in shown
    assert "B: 36 of 40 drawn, 4 failed." in said(app)
    assert len(app.get("plotly_chart")) == 2


def test_what_changed_since_the_run_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One choice compares every endpoint with itself in the newest earlier run of the suite."""
    old = night(tmp_path, 1, {"a/m": 100.0, "b/m": 100.0}, python="3.11.0")
    new = night(tmp_path, 2, {"a/m": 150.0, "b/m": 100.0}, python="3.12.0")
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, against="the run before")
    text = said(app)
    assert f"{new.id} against {old.id}" in text
    assert "1 worse" in text
    assert "▼ worse\n×1.49" in cells(app, "What differs")
    assert "3.12.0" in cells(app, "What else differs: configuration")


def test_without_a_run_before_the_page_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run of a suite has nothing before it; a run of one endpoint asks for that by itself."""
    run = night(tmp_path, 1, {"a/m": 100.0})
    app = open_page(tmp_path, PAGE, monkeypatch, run=run.id)
    assert "no earlier run of the same suite" in app.info[0].value
    assert "`harness run night`" in app.info[0].value


def test_what_is_not_comparable_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another seed of a load is another load: no figure stands, and the reason does."""
    night(tmp_path, 1, {"a/m": 100.0, "b/m": 100.0}, seed=1)
    new = night(tmp_path, 2, {"a/m": 150.0, "b/m": 100.0}, seed=2)
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, against="the run before")
    assert "their prompts are drawn from other seeds: 1 and 2" in cells(app, "Not comparable")
    assert "2 not comparable" in said(app)
    assert not app.get("plotly_chart")


def test_another_baseline_may_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address names the baseline's run and endpoint, the endpoint, the time and what counts as the same."""
    old = night(tmp_path, 1, {"a/m": 100.0, "b/m": 100.0})
    night(tmp_path, 2, {"a/m": 150.0, "b/m": 100.0})
    new = night(tmp_path, 3, {"a/m": 150.0, "b/m": 100.0})
    chosen = {"against": "another run", "with": old.id, "baseline_since": "b/m", "endpoint_since": "a/m", "time": "E2E"}
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, alike="no difference", **chosen)
    assert f"A (baseline): b/m, {old.id}" not in said(app)  # in the chart alone
    assert "fewer than" not in said(app)
    assert app.selectbox(key="baseline_since").value == "b/m"
    assert app.multiselect(key="endpoint_since").value == ["a/m"]
    assert "0 same" not in said(app)
    assert "≈ same" not in cells(app, "What differs")


@pytest.mark.parametrize(
    "key",
    ["against", "with", "baseline", "baseline_since", "endpoint", "endpoint_since", "stage", "time", "of", "alike"],
)
def test_an_old_link_is_not_obeyed(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the address that is no choice any more leaves the page as it would be without it."""
    night(tmp_path, 1, {"a/m": 100.0, "b/m": 130.0})
    app = open_page(tmp_path, PAGE, monkeypatch, **{key: HOSTILE})
    assert "▼ worse" in said(app)


def test_a_choice_within_a_run_is_none_since_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever compared two endpoints and then asks what changed since sees each of them against itself."""
    for number, ms in enumerate((100.0, 150.0), 1):
        night(tmp_path, number, {"a/m": ms, "b/m": 100.0})
    app = open_page(tmp_path, PAGE, monkeypatch, baseline="b/m", endpoint="a/m")
    app.segmented_control(key="against").set_value("the run before").run()
    assert app.selectbox(key="baseline_since").value is None
    assert app.multiselect(key="endpoint_since").value == ["a/m", "b/m"]


def test_another_run_with_other_endpoints_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choosing another run while endpoints are chosen forgets those that it does not have."""
    old = night(tmp_path, 1, {"x/m": 100.0, "y/m": 130.0})
    new = night(tmp_path, 2, {"a/m": 100.0, "b/m": 130.0})
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, baseline="b/m", endpoint="a/m")
    app.selectbox(key="run").select(old.id).run()
    assert not app.exception
    assert app.selectbox(key="baseline").value == "x/m"
    assert "y/m" in cells(app, "What differs")


def test_forty_endpoints_with_long_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first few are compared, and the page says how many there are; names of any writing are shown."""
    names = {f"p{i}/{'模型' * 20}\u202e{i}": 100.0 for i in range(40)}
    night(tmp_path, 1, names, n=8)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert "5 of 39 endpoints are compared" in said(app)
    assert "\u202e" not in cells(app, "What differs")


def test_nothing_of_two_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where times are all NULL there is no chart; where nothing was asked of both, the reasons stand alone."""
    run = night(tmp_path, 1, {"a/m": 100.0, "b/m": 100.0}, n=1)
    app = open_page(tmp_path, PAGE, monkeypatch, run=run.id, time="ITL")
    assert "Nothing to draw" in said(app)


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names full of markup, of endpoints and of what is configured, come through as letters."""
    two_endpoints(tmp_path, HOSTILE, python=HOSTILE)
    two_endpoints(tmp_path, HOSTILE, created_at="2026-02-01T00:00:00.000+00:00")
    for against in ("this run", "the run before"):
        app = open_page(tmp_path, PAGE, monkeypatch, against=against)
        assert app.get("html")
        for block in app.get("html"):
            assert "<script" not in block.proto.body
            assert "<img" not in block.proto.body
        for block in (*app.markdown, *app.caption, *app.info, *app.warning):
            assert "<b>" not in block.value.replace(plain.code(HOSTILE), "")
