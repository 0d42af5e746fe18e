"""Page Trend over a made store of thirty nights: levels, changes, gaps, what was written, and the next night."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from drawn import HOSTILE, open_page, said
from published import make_nights

from harness.report.charts.nights import nights
from harness.report.nights.annotations import Annotation
from harness.report.nights.trend import Series, trend

PAGE = "views/trend.py"
MARKS = {"fast/m": 0, "slow/m": 1}
NOISE = (0.99, 1.02, 0.97, 1.01, 1.0, 1.03, 0.98)


def ttft(endpoint: str, night: int) -> float:
    """Around 100 and 180 ms; the fast one is slower by 30 % from the twentieth night on."""
    slower = 1.3 if endpoint == "fast/m" and night >= 20 else 1.0
    return (100 if endpoint == "fast/m" else 180) * slower * NOISE[night % 7]


def about(night: int) -> dict[str, Any] | None:
    """Three nights without a run, and one that was broken off."""
    if night in (9, 10, 11):
        return None
    return {"status": "interrupted"} if night == 15 else {}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty nights of two endpoints."""
    folder = tmp_path_factory.mktemp("nights")
    made = make_nights(folder, 30, endpoints=("fast/m", "slow/m"), ttft_ms=ttft, about=about)
    assert len(made) == 27
    return folder


@pytest.fixture(scope="module")
def found(store: Path) -> list[Series]:
    """The series of TTFT."""
    return trend(store, metrics=["ttft_p50_ms"])


def test_the_page_says_what_changed_and_what_is_next(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Date, size with interval, confidence, level, expectation and missing nights, as ``harness trend`` has them."""
    monkeypatch.chdir(store)
    app = open_page(store, PAGE, monkeypatch)
    told = said(app)
    for part in ("2026-01-21", "▲ worse", "×1.3", "[", "3 missing", "1 left out", "the run is interrupted", "n=8"):
        assert part in told
    assert [head.value for head in app.subheader][:2] == ["What changed", "The level now, and the next night"]
    assert len(app.get("plotly_chart")) == 1
    assert "annotations.yaml" in told


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"metric": "quality"}, "83.3 %"),
        ({"suite": "nightly", "metric": "error_rate"}, "No change point in 26 nights"),
        ({"metric": "conformance_support"}, "No run has a value of"),
        ({"last": "all", "metric": "error_rate"}, "No change point in 26 nights"),
    ],
)
def test_the_address_chooses(query: dict[str, str], text: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metric and suite come from the address; what no run has is said in words."""
    monkeypatch.chdir(store)
    assert text in said(open_page(store, PAGE, monkeypatch, **query))


def test_stale_choices_are_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the address names and is not there is told, and the page is drawn."""
    monkeypatch.chdir(store)
    app = open_page(store, PAGE, monkeypatch, metric="nonsense", work="gone@c9", suite=HOSTILE, last="7")
    assert len(app.warning) == 4
    assert len(app.get("plotly_chart")) == 1


def test_annotations_are_shown_and_their_mistakes_told(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stands in chart and table; a mistake is one warning, and costs no more than the annotations."""
    monkeypatch.chdir(tmp_path)
    Path("annotations.yaml").write_text("annotations: [{date: 2026-01-20, text: '<b>New</b> hardware'}]")
    assert "&lt;b&gt;New&lt;/b&gt; hardware" in said(open_page(store, PAGE, monkeypatch))
    Path("annotations.yaml").write_text("annotations: [{date: soon, text: a}]")
    app = open_page(store, PAGE, monkeypatch)
    assert "annotations[0].date" in app.warning[0].value.replace("`", "").replace(" ", "")
    assert len(app.get("plotly_chart")) == 1


def test_nights_are_drawn_with_their_gaps(found: list[Series]) -> None:
    """The line breaks at missing nights and at one that does not count, which is an open mark of its own."""
    figure = nights(found, MARKS)
    assert figure is not None
    line = next(trace for trace in figure.data if trace.name == "fast/m" and trace.mode == "lines+markers")
    assert [place for place, value in enumerate(line.y) if value is None] == [9, 13]
    assert line.connectgaps is False
    assert len([value for value in line.error_y.array if value]) == 26
    (left_out,) = (trace for trace in figure.data if trace.name == "left out" and "fast" in trace.text[0])
    assert left_out.marker.symbol == "circle-open"
    assert "the run is interrupted" in left_out.text[0]


def test_levels_changes_and_the_next_night_are_drawn(found: list[Series]) -> None:
    """Two levels of the one that changed, a line at the change with its word, and a box after the last night."""
    (series,) = (one for one in found if one.endpoint == "fast/m")
    figure = nights([series], MARKS)
    assert figure is not None
    levels = [trace.y[0] for trace in figure.data if trace.line.dash == "dash" and trace.mode == "lines"]
    assert levels == pytest.approx([100, 130], rel=0.02)
    assert [one.text for one in figure.layout.annotations] == ["▲ worse ×1.3"]
    (box,) = (trace for trace in figure.data if trace.fill == "toself")
    assert box.x[0] > datetime(2026, 1, 30)  # noqa: DTZ001 - as the store keeps moments
    assert box.y[0] < 130 < box.y[1]


def test_shares_are_drawn_as_percent(store: Path) -> None:
    """A score of five in six is 83 on an axis in percent."""
    figure = nights(trend(store, metrics=["quality"]), MARKS)
    assert figure is not None
    assert figure.data[0].y[0] == pytest.approx(83.33, abs=0.01)
    assert figure.layout.yaxis.title.text == "mean score, %"


def test_what_people_wrote_is_inert_and_about_its_endpoint(found: list[Series]) -> None:
    """Texts are shown letter by letter, and only where their endpoint is drawn; a chosen run is marked."""
    at = datetime(2026, 1, 20)  # noqa: DTZ001 - as the store keeps moments
    told = [Annotation(at, HOSTILE, "slow"), Annotation(at, "not here", "other/m")]
    slow = [one for one in found if one.endpoint == "slow/m"]
    figure = nights(slow, MARKS, told, run=slow[0].points[0].run_id)
    assert figure is not None
    (note,) = figure.layout.annotations
    assert "<script" not in note.text + note.hovertext
    assert len(figure.layout.shapes) == 2


def test_nothing_to_follow_is_no_chart() -> None:
    """Without a value there is no picture."""
    assert nights([], {}) is None


def test_forty_endpoints_are_narrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six of many endpoints are drawn until others are chosen."""
    names = tuple(f"anbieter-{place:02}/שלום-模型" for place in range(40))
    make_nights(tmp_path, 2, endpoints=names)
    monkeypatch.chdir(tmp_path)
    app = open_page(tmp_path, PAGE, monkeypatch)
    assert len(app.multiselect(key="endpoints").value) == 6
    assert "too few nights" in said(app)
    assert "No change point in 2 nights" in said(app)


def test_one_night_stands_in_a_day(tmp_path: Path) -> None:
    """The axis of a single night is a day and not a thousandth of a second; many nights are shown as they fit."""
    make_nights(tmp_path, 1)
    figure = nights(trend(tmp_path, metrics=["ttft_p50_ms"]), {"p/m": 0})
    assert figure is not None
    first, last = figure.layout.xaxis.range
    assert (last - first).total_seconds() == 86_400
    make_nights(tmp_path, 3)
    figure = nights(trend(tmp_path, metrics=["ttft_p50_ms"]), {"p/m": 0})
    assert figure is not None
    assert figure.layout.xaxis.range is None
