"""The page Load in each state: goodput under other objectives, weak percentiles, old links, hostile and many names."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from drawn import HOSTILE, open_page, said, two_endpoints
from published import EPOCH, attempt, make_run, manifest
from streamlit.testing.v1 import AppTest

from dashboard import plain
from harness.record.folder import RunFolder
from harness.store.index import publish

PAGE = "views/load.py"


def sweep(
    results: Path, names: tuple[str, ...] = ("a/m",), n: int = 30, laws: tuple[str, ...] = ("c1", "c4"), **changes: Any
) -> RunFolder:
    """A run of a load at some levels: TTFT of 100 ms at the first, 100 more at each next; the last request fails."""
    rows = []
    for name in names:
        for place, law in enumerate(laws):
            for i in range(n):
                at = 100_000.0 * place + 1000.0 * i
                first = at + 100 * (place + 1) + i % 5
                marks = {"sched": at, "admit": at, "send0": at, "tok1": first, "tokn": first + 100, "eof": first + 100}
                row = attempt(f"{name}/{law}/{i}", ms=marks, endpoint=name, sample=str(i), stage=f"load.chat@{law}")
                row |= {
                    "completion_tokens": 11,
                    "chunk_events": [1, 10],
                    "chunk_delta_us": [100_000, 100_000],
                    "api": "chat",
                }
                row |= {"started_at": EPOCH + timedelta(milliseconds=at)}
                rows.append(row | ({"failure_kind": "http_5xx", "failure_detail": name} if i == n - 1 else {}))
    ends = [{"id": name, "provider": "p", "kind": "hosted", "model_id": name, "base_url": None} for name in names]
    levels = [{"stage": f"load.chat@{law}", "law": law, "closed": law.startswith("c"), "n": n} for law in laws]
    slo = {"ttft_ms": 150.0, "tpot_ms": None, "e2e_ms": None}
    told = {"endpoints": ends, "tasks": [], "loads": [{"name": "chat", "version": 1, "slo": slo, "levels": levels}]}
    run = make_run(results, "sweep", about=told | changes, attempts=rows)
    publish(results)
    return run


def table(app: AppTest) -> str:
    """The HTML of the table of levels."""
    return next(block.proto.body for block in app.get("html") if 'aria-label="Load levels"' in block.proto.body)


def test_the_objectives_of_the_load_are_where_the_sliders_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goodput is at first that of the report; moving the line counts it anew, and says up to which load it holds."""
    sweep(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert app.slider(key="ttft_ms").value == 150
    assert "a/m: 95 % within these objectives up to 1 at once (97 % [83–99] of 30)" in said(app)
    app.slider(key="ttft_ms").set_value(300).run()
    assert not app.exception
    assert "a/m: 95 % within these objectives up to 4 at once (97 % [83–99] of 30)" in said(app)
    app.slider(key="ttft_ms").set_value(50).run()
    assert "a/m: not even the lowest level" in said(app)
    app.slider(key="ttft_ms").set_value(0).run()
    assert "No objective is set" in said(app)


def test_a_link_keeps_the_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objectives, axes, percentiles and the load are in the address."""
    sweep(tmp_path, laws=("c1", "c4", "p5"))
    app = open_page(tmp_path, PAGE, monkeypatch, ttft_ms="300", log="true", load="chat by rate", percentile="p95")
    assert app.slider(key="ttft_ms").value == 300
    assert app.toggle(key="log").value
    assert app.selectbox(key="load").value == "chat by rate"
    assert "p5" in table(app)
    assert ">c4<" not in table(app)


def test_seconds_are_drawn_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Client and server on one axis of time are one chart more, by a switch that stands in the address."""
    sweep(tmp_path)
    assert len(open_page(tmp_path, PAGE, monkeypatch).get("plotly_chart")) == 4
    app = open_page(tmp_path, PAGE, monkeypatch, seconds="true")
    assert app.toggle(key="seconds").value
    assert len(app.get("plotly_chart")) == 5


@pytest.mark.parametrize("key", ["ttft_ms", "log", "load", "percentile", "server", "seconds"])
def test_an_old_link_is_not_obeyed(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the address that is no choice any more leaves the page as it would be without it."""
    sweep(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, **{key: HOSTILE})
    assert "up to 1 at once" in said(app)


def test_weak_percentiles_are_refused_with_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """p95 and p99 of 29 answers have no number; the page says how many it would take; failures are counted."""
    sweep(tmp_path)
    text = said(open_page(tmp_path, PAGE, monkeypatch))
    assert "p95: not enough data at 2 of 2 levels: it needs 200, these have 29." in text
    assert "not enough data" in text
    assert "2 of 60 requests failed" in text


def test_a_run_with_another_load_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choosing another run while a load and a server are chosen forgets those that it does not have."""
    old = sweep(tmp_path, ("x/m",), laws=("p5",))
    new = sweep(tmp_path, ("a/m", "b/m"), created_at="2026-02-01T00:00:00.000+00:00")
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, server="b/m", load="chat by concurrency")
    app.selectbox(key="run").select(old.id).run()
    assert not app.exception
    assert app.selectbox(key="load").value == "chat by rate"
    assert app.selectbox(key="server").value == "x/m"


def test_a_run_without_load_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to show is said with what makes a load."""
    run = make_run(tmp_path)
    run.write_manifest(manifest(run, loads=[]))
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert "`harness load short_chat -e PROVIDER/MODEL`" in app.info[0].value


def test_all_at_once_and_all_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst has no rate, and failed requests no times: the table and the counts remain."""
    rows = [
        attempt(f"a/{i}", ms={"send0": 0, "eof": 5}, endpoint="a/m", stage="load.chat@burst8", failure_kind="http_5xx")
        for i in range(8)
    ]
    levels = [{"stage": "load.chat@burst8", "law": "burst8", "closed": False, "n": 8}]
    load = {"name": "chat", "version": 1, "slo": {}, "levels": levels}
    ends = [{"id": "a/m", "provider": "p", "kind": "hosted", "model_id": "m", "base_url": None}]
    make_run(tmp_path, about={"endpoints": ends, "tasks": [], "loads": [load]}, attempts=rows)
    publish(tmp_path)
    text = said(open_page(tmp_path, PAGE, monkeypatch))
    assert "8 of 8 requests failed" in text
    assert "1 levels have no rate" in text
    assert "Nothing to draw" in text


def test_forty_endpoints_with_long_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of any length and writing are shown, none turns the writing round."""
    sweep(tmp_path, tuple(f"p{i}/{'模型' * 20}\u202e{i}" for i in range(40)), n=7)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert table(app).count("<tr>") == 81
    assert "\u202e" not in table(app)


def test_hostile_names_are_shown_and_not_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and errors full of markup come through as letters."""
    two_endpoints(tmp_path, HOSTILE)
    app = open_page(tmp_path, PAGE, monkeypatch)
    for block in app.get("html"):
        assert "<script" not in block.proto.body
        assert "<img" not in block.proto.body
    for block in (*app.markdown, *app.caption, *app.info, *app.warning, *app.success):
        assert "<b>" not in block.value.replace(plain.code(HOSTILE), "")
