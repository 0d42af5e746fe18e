"""Page Fidelity: verdicts, gaps, scorecards and the requests that show a difference, in every state of a run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from drawn import HOSTILE, open_page, said
from made import Watcher
from published import attempt, make_run, manifest, score

from dashboard import plain
from harness import catalog, config
from harness.engines import start
from harness.provider import Endpoint, Provider, Serve
from harness.record.folder import RunFolder
from harness.report.charts.gaps import gaps, gaps_of
from harness.report.fidelity.planned import Size, verify_selection
from harness.report.inert import markup
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.planning.plan import make
from harness.store.index import publish
from harness.types import JsonObject

PAGE = "views/fidelity.py"
SERVERS: dict[str, dict[str, Any]] = {"official": {}, "cheap": {"injected_tokens": 25}, "honest": {}}


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Results of one small verification of a vendor that injects a prompt, and of one that does not."""
    results = tmp_path_factory.mktemp("fidelity") / "results"
    with ExitStack() as stack:
        ends = []
        for seed, (name, settings) in enumerate(SERVERS.items()):
            plain_one = {"profile": "null", "knows_tasks": True, "sampled": True, "tokens": 20, "seed": seed}
            running = start(Serve("simulator", plain_one | settings))
            stack.callback(running.stop)
            provider = Provider(name, "simulated", running.base_url, models={"m": "sim-small"})
            ends.append(Endpoint(provider, "m", "sim-small"))
        size = Size(4, 2, ("arithmetic:12",), calls=2)
        first, *others = [one.id for one in ends]
        selection = verify_selection(first, others, size, concurrency=4)
        plan = make(selection, catalog.discover([config.shipped("tasks")]), ends)
        run = sitting.start(plan, results=results, company=Company(Watcher(), scrape=False, calibrate=False)).folder
    return results, run.id


def test_the_page_says_who_differs_and_in_what(verified: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts with the score beside, one chart, the scorecard with its figures, and how it was measured."""
    app = open_page(verified[0], PAGE, monkeypatch)
    told = said(app)
    assert "Who serves it faithfully? Against official/m" in told
    for word in ("✕ different", "ceiling", "smallest found", "injected prompt on 20 shapes", "+25", "Benjamini"):
        assert word in told, word
    assert len(app.get("plotly_chart")) == 1
    assert [head.value for head in app.subheader] == ["Scorecard", "Evidence"]


def test_evidence_has_both_answers_and_commands(verified: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs opens with its requests: each side's answer, its command, and a link to the attempt."""
    app = open_page(verified[0], PAGE, monkeypatch, candidate="cheap/m", test="prompt tokens")
    told = said(app)
    assert "one_word: +25 prompt tokens" in told
    assert told.count("curl -sS") == 4
    assert "**candidate** `cheap/m`" in told
    assert all("job=" in link.proto.query_string for link in app.get("page_link"))
    assert len(app.get("page_link")) == 4


def test_a_link_names_candidate_and_test(verified: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address keeps both choices, and what is gone is told in plain letters."""
    app = open_page(verified[0], PAGE, monkeypatch, candidate="honest/m")
    assert app.selectbox(key="candidate").value == "honest/m"
    gone = open_page(verified[0], PAGE, monkeypatch, candidate=HOSTILE, test="gone")
    assert any(plain.code(HOSTILE) in block.value for block in gone.warning)


@pytest.mark.parametrize("page", ["views/decide.py", "views/features.py"])
def test_other_pages_lead_here(page: str, verified: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who decides by a run that is a verification is a click away from its scorecards."""
    app = open_page(verified[0], page, monkeypatch)
    links = [link.proto for link in app.get("page_link")]
    assert any(link.page == "fidelity" and verified[1] in link.query_string for link in links)


def made(results: Path, name: str = "b/m", *, texts: bool = True, **changes: Any) -> RunFolder:
    """A verification made of rows: ten questions that the reference has right and the candidate has not."""
    rows, scores = [], []
    for endpoint, repeats in (("p/m", 2), (name, 1)):
        for i in range(10):
            for repeat in range(repeats):
                job = f"sums/{endpoint}/{i}/{repeat}"
                about = {"kind": "quality", "stage": "quality.sums", "task": "sums", "sample": str(i), "repeat": repeat}
                rows.append(attempt(job, endpoint=endpoint, ms={"send0": 0, "tok1": 9, "eof": 10}, **about))
                value = float(endpoint == "p/m")
                scores.append(score(job, value, endpoint=endpoint, sample=str(i), repeat=repeat))
    kept = [
        {"run_id": "?", "job_id": row["job_id"], "number": 0, "request_body": name, "text": name, "text_lossy": False}
        | {"response_body": name, "reasoning": None, "tool_calls_json": "[]", "response_headers_json": "[]"}
        for row in rows
    ]
    run = make_run(results, attempts=rows, scores=scores, texts=kept if texts else [])
    first = manifest(run)["endpoints"][0]
    selection = {"twice": True, "endpoints": ["p/m", name], "repeats": 1}
    about = {"endpoints": [first, first | {"id": name}], "selection": selection, "loads": []}
    run.write_manifest(manifest(run, **about | changes))
    publish(results)
    return run


def test_hostile_names_are_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an endpoint is called is shown and obeyed nowhere, and a run without a journal has no exchange to show."""
    made(tmp_path, HOSTILE)
    told = said(open_page(tmp_path, PAGE, monkeypatch))
    assert markup(HOSTILE) in told
    assert "<script>alert(1)</script>" not in told.replace(HOSTILE, "")
    assert "✕ worse" in told
    assert "No exchange of it is recorded here." in told


def test_each_state_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verification, one whose texts are gone, one that was broken off, and one under way: each has its words."""
    other = made(tmp_path, selection={"repeats": 1})
    assert "`harness verify --reference A --candidate B`" in said(open_page(tmp_path, PAGE, monkeypatch, run=other.id))
    purged = made(tmp_path, texts=False)
    app = open_page(tmp_path, PAGE, monkeypatch, run=purged.id)
    assert "are gone" in app.info[0].value
    stopped = made(tmp_path, status="interrupted")
    app = open_page(tmp_path, PAGE, monkeypatch, run=stopped.id)
    assert f"`harness resume {stopped.id}`" in app.warning[0].value
    assert "Scorecard" in [head.value for head in app.subheader]
    assert purged.id in said(app)
    for path in stopped.root.glob("*.parquet"):
        path.unlink()
    stopped.write_manifest(stopped.read_manifest() | {"status": "running"})
    with stopped.lock():
        publish(tmp_path)
        assert "under way" in open_page(tmp_path, PAGE, monkeypatch, run=stopped.id).info[0].value


def finding(test: str, value: float | None, **changes: Any) -> JsonObject:
    """One row of a scorecard."""
    row = {"test": test, "value": value, "low": None, "high": None, "ceiling": None, "margin": 0.05, "word": "w"}
    return {**row, "says": "", **changes}


@pytest.mark.parametrize(
    ("row", "value", "low", "high"),
    [
        (finding("score", -0.1, low=-0.15, high=-0.05), 2.0, 1.0, 3.0),
        (finding("answered", 0.05), -1.0, None, None),
        (finding("distribution", 0.04, margin=0.02, low=0.02, high=0.06), 2.0, 1.0, 3.0),
    ],
)
def test_gaps_are_in_margins(row: JsonObject, value: float, low: float | None, high: float | None) -> None:
    """To the right is further away, or worse: a score that falls, and an effect that rises."""
    (one,) = gaps_of({"candidates": [{"endpoint": "b/m", "findings": [row]}]})
    assert one.value == pytest.approx(value)
    assert (one.low, one.high) == (low and pytest.approx(low), high and pytest.approx(high))


def test_the_chart_draws_margin_ceiling_and_what_lies_beyond() -> None:
    """A band of one margin, a stroke for the ceiling, and the figure itself where a point is far out of the picture."""
    rows = [finding("distribution", 0.9, margin=0.02, ceiling=0.01), finding("prompt tokens", 3, margin=None)]
    figure = gaps({"candidates": [{"endpoint": "b/m", "findings": rows}]}, {"b/m": 0})
    assert figure is not None
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (-1, 1)
    ceiling, points = figure.data
    assert ceiling.x == (0.5,)
    assert points.text == ("45× ",)
    assert max(points.x) < 45
    assert gaps({"candidates": [{"endpoint": "b/m", "findings": rows[1:]}]}, {"b/m": 0}) is None
