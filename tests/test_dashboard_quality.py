"""Page Quality: scores, flips against a baseline, and one question with every answer."""

from pathlib import Path

import pytest
from drawn import HOSTILE, open_page, said, two_endpoints
from published import attempt, make_run, manifest, score
from test_flips import asked_run

from dashboard import plain, question_list
from harness.report import words
from harness.report.charts.intervals import task_scores
from harness.report.summary.figures import summarise
from harness.store.index import publish

PAGE = "views/quality.py"


def test_scores_flips_and_costs_are_the_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task and endpoint has its cell; under 95 % coverage it has bounds; flips have their interval."""
    run = asked_run(tmp_path)
    told = said(open_page(tmp_path, PAGE, monkeypatch))
    for row in summarise(tmp_path, run.id)["tasks"]:
        assert words.score(row) in told
    assert "coverage 83 %: between 50 and 67 %" in told
    assert words.TOO_LITTLE in told
    assert "+0 points [" in told
    assert "unclear (coverage)" in told
    assert "No cost is known" in told


@pytest.mark.parametrize(("which", "left"), [(None, 2), ("worse", 1), ("better", 1), ("all", 6)])
def test_questions_are_narrowed(which: str | None, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At first only those where endpoints differ; the address keeps another choice."""
    asked_run(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, **({"questions": which} if which else {}))
    cells = app.dataframe[0].value
    assert len(cells) == left
    assert list(cells.columns) == ["question", "asked", "a/m (baseline)", "b/m"]
    if which == "worse":
        assert list(cells.iloc[0])[2:] == ["● right", "✕ wrong ↓"]


def test_a_link_shows_one_question_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked, each answer with its score, and a link to its attempt."""
    run = asked_run(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, sample="s0")
    told = said(app)
    for part in ("[user]\n2 + 3?", "a/m says 5", "b/m says 5", "score 1 by exact version 1"):
        assert part in told
    links = [link.proto.query_string for link in app.get("page_link")]
    assert links == [f"run={run.id}&job=sums%2F{name}%2Fm%2F0&try=0" for name in "ab"]


def test_a_failed_answer_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that one endpoint failed shows the failure where its answer would be."""
    asked_run(tmp_path)
    told = said(open_page(tmp_path, PAGE, monkeypatch, sample="s4"))
    assert "http_5xx: gone" in told
    assert "The texts of this run are not kept here." in told


def test_a_run_before_it_can_be_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline is an endpoint of this or of another run of the task; then the command for intervals is named."""
    old, new = asked_run(tmp_path, "old"), asked_run(tmp_path, "new")
    app = open_page(tmp_path, PAGE, monkeypatch, run=new.id, baseline_run=old.id, baseline="b/m", questions="all")
    assert list(app.dataframe[0].value.columns) == ["question", "asked", "baseline", "a/m", "b/m"]
    assert f"harness compare {old.id} {new.id}" in said(app)


def test_stale_choices_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task, baseline or question that is not there is named in plain letters, and the page is drawn."""
    asked_run(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch, task=HOSTILE, baseline="gone/m", baseline_run="gone", sample="s99")
    told = [block.value for block in app.warning]
    assert len(told) == 4
    assert any(plain.code(HOSTILE) in line for line in told)
    assert app.selectbox(key="task").value == "sums"


def test_a_click_chooses_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell of the list fills the choice above it; one of a list that is gone does nothing."""
    state: dict[str, object] = {"list": {"selection": {"cells": [[1, "a/m"]]}}}
    monkeypatch.setattr(question_list.st, "session_state", state)
    question_list.clicked("list", ["s0", "s1"])
    assert state["sample"] == "s1"
    question_list.clicked("list", ["s0"])
    assert state["sample"] == "s1"


def test_hostile_answers_are_shown_letter_by_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers, explanations and names full of markup are code and nothing else."""
    two_endpoints(tmp_path, HOSTILE)
    app = open_page(tmp_path, PAGE, monkeypatch, sample="s", questions="all")
    assert any(block.value == HOSTILE for block in app.code)
    for block in (*app.markdown, *app.caption, *app.info, *app.warning):
        assert "<b>" not in block.value.replace(plain.code(HOSTILE), "")


def test_one_endpoint_has_nothing_to_be_held_against(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of one endpoint shows all its questions, and says what a comparison takes."""
    row = attempt("q", kind="quality", stage="quality.sums", task="sums", sample="q", ms={"send0": 0, "eof": 9})
    run = make_run(tmp_path, attempts=[row], scores=[score("q", 0.5)])
    run.write_manifest(manifest(run, loads=[]))
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert "nothing to be held against" in said(app)
    assert list(app.dataframe[0].value.iloc[0])[2:] == ["0.50"]


def test_forty_endpoints_are_narrowed_to_six(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All stand in the scores; the list of questions has the first six until others are chosen."""
    names = [f"{'langer-anbieter' * 6}-{place:02}/שלום-{'模型' * 9}" for place in range(40)]
    about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": "q"}
    rows = [attempt(name, endpoint=name, ms={"send0": 0, "eof": 9}, **about) for name in names]
    scores = [score(name, float(place % 2), endpoint=name, sample="q") for place, name in enumerate(names)]
    run = make_run(tmp_path, attempts=rows, scores=scores)
    one = manifest(run)["endpoints"][0]
    run.write_manifest(manifest(run, endpoints=[one | {"id": name} for name in names], loads=[]))
    publish(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert names[39] in said(app)
    assert len(app.dataframe[0].value.columns) == 2 + 6


def test_a_chart_of_scores_has_bounds_where_coverage_is_low(tmp_path: Path) -> None:
    """A scored task is a point with its interval; one of which too little was scored a grey line without a point."""
    run = asked_run(tmp_path)
    tasks = summarise(tmp_path, run.id)["tasks"]
    figure = task_scores(tasks, {"a/m": 0, "b/m": 1})
    assert figure is not None
    assert [trace.mode for trace in figure.data] == ["lines", "lines"]
    assert figure.data[0].x == pytest.approx((50.0, 200 / 3))
    row = {"endpoint": HOSTILE, "mean": 0.5, "low": 0.25, "high": None, "binary": True, "n": 4}
    row |= {"n_asked": 4, "n_scored": 4, "mean_of_asked": 0.5, "at_most": 0.5}
    figure = task_scores([row], {HOSTILE: 0})
    assert figure is not None
    assert figure.data[0].error_x.array is None
    assert "<img" not in figure.data[0].hovertemplate + figure.data[0].name
    assert task_scores([row | {"mean": None, "mean_of_asked": None}], {HOSTILE: 0}) is None
