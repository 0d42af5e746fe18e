"""A decision in words, as cards and in charts."""

from pathlib import Path
from typing import Any

import pytest
from drawn import HOSTILE, two_endpoints

from harness.report.charts.decided import bills, fronts, inside
from harness.report.charts.pareto import Axis, left_out, pareto
from harness.report.charts.volumes import volumes
from harness.report.decision.cards_html import answer_html, as_html, named
from harness.report.decision.told import Card, amount, answer, cards, limits, share, three
from harness.report.decision.whole import Decision, Recorded, Wishes, decide, recorded, routings
from harness.report.summary.figures import summarise
from harness.stats.mover import Estimate, exact
from harness.types import JsonObject, Slo

MARKS = {"a/m": 0, "b/m": 1, "c/m": 2}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (0.0, "0"), (0.0123456, "0.0123"), (1.5, "1.5"), (99.96, "100"), (1234567.0, "1,230,000")],
)
def test_amounts_have_three_figures(value: float | None, text: str) -> None:
    """Three figures, thousands apart, no power of ten."""
    assert three(value) == text


def test_figures_stand_with_their_intervals() -> None:
    """A bound that is not known is a question mark; a figure that is known stands alone."""
    assert amount(Estimate(27.13, 20.4, None)) == "27.1 [20.4–?]"
    assert amount(exact(30.0)) == "30"
    assert amount(None) == share(None) == "–"
    assert share(Estimate(0.944, 0.8186, 0.984)) == "94 % [82–98]"
    assert limits(Slo(800, None, 2000.0)) == "TTFT 800 ms, E2E 2000 ms"


@pytest.mark.parametrize(
    ("tied", "others", "said"),
    [
        (("b",), 3, "tied with"),
        ((), 2, "ahead of all others"),
        ((), 1, "ahead of the other"),
        ((), 0, "nobody else has one"),
    ],
)
def test_a_card_says_how_the_best_stands(tied: tuple[str, ...], others: int, said: str) -> None:
    """Tied with someone, ahead of the rest, or alone."""
    assert Card("t", "a", "1", tied, others, ()).standing == said


def weighed(results: Path, name: str = "b/m", **wishes: Any) -> tuple[JsonObject, Recorded, Decision, Wishes]:
    """A run of two endpoints, decided."""
    run = two_endpoints(results, name)
    summary, wanted = summarise(results, run.id), Wishes(**wishes)
    found = recorded(results, summary, "chat", wanted.limits)
    return summary, found, decide(summary, found, wanted), wanted


def test_there_is_a_card_for_each_verdict(tmp_path: Path) -> None:
    """By weights, by limits, then the seven measures; one that nobody has says what it takes."""
    found = {card.title: card for card in cards(*weighed(tmp_path))}
    assert list(found)[:2] == ["By your weights", "Inside TTFT 800 ms"]
    assert len(found) == 9
    assert found["Inside TTFT 800 ms"].said == "100 % [61–100] n=6"
    assert found["Errors"].tied == ("b/m",)
    assert found["Features"].missing == ("p/m",)
    assert found["Tool calls"].best is None
    assert "it takes a tool task" in found["Tool calls"].said
    assert found["Cost"].said == "487 USD a month"


def test_the_answer_says_what_could_not_have_been_seen(tmp_path: Path) -> None:
    """The last sentence has the smallest difference that would probably have shown, and where it was measured."""
    told = answer(*weighed(tmp_path))
    assert len(told) == 3
    assert told[2].startswith("This was one sitting from one machine, at c1: it would probably not have shown")
    assert "points in the share inside" in told[2]


def test_names_are_harmless_in_cards_answers_and_charts(tmp_path: Path) -> None:
    """An endpoint's name full of markup is shown letter by letter."""
    summary, _, decision, wishes = about = weighed(tmp_path, HOSTILE, limits=Slo())
    marks = {"p/m": 0, HOSTILE: 1}
    html = as_html(cards(*about), marks) + answer_html(answer(*about))
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html
    names = [row["endpoint"] for row in summary["endpoints"]]
    charts = [front.figure for front in fronts(decision, names, marks)]
    for figure in (*charts, inside(decision, wishes, marks), bills(decision, wishes, marks)):
        assert figure is not None
        for trace in figure.data:
            texts = [trace.name, trace.hovertemplate, *(trace.y if isinstance(trace.y[0], str) else ())]
            assert not [text for text in texts if "<script" in text or "<b>" in text or "<a" in text or "<img" in text]


def test_routings_are_of_both_alone_and_together(tmp_path: Path) -> None:
    """Six prompts were answered by both and one failed at the second alone."""
    summary, _, decision, wishes = weighed(tmp_path)
    assert decision.ways is not None
    found = routings(tmp_path, summary, "chat", decision.ways, wishes.limits)
    assert [one.n for one in found] == [6, 6, 6]
    assert routings(tmp_path, summary, "chat", decision.ways, wishes.limits, "load.chat@c9") == []


AXES = (
    Axis("x", {"a/m": exact(1.0), "b/m": Estimate(2.0, 1.5, 3.0)}, more=False),
    Axis(
        "y",
        {"a/m": Estimate(80.0, 70.0, 90.0), "b/m": Estimate(60.0, 50.0, None), "c/m": exact(1.0)},
        more=True,
        whole=100,
    ),
)


def test_who_is_behind_is_grey_and_who_lacks_a_measure_is_named() -> None:
    """The dominated point stands back and keeps its shape; crosses go both ways where both bounds are known."""
    figure = pareto(*AXES, list(MARKS), MARKS)
    assert figure is not None
    behind, ahead = figure.data
    assert (behind.name, ahead.name) == ("b/m", "a/m")
    assert behind.marker.color != ahead.marker.color
    assert behind.marker.symbol == "square"
    assert "behind a/m in both" in behind.hovertemplate
    assert (behind.error_x.array, behind.error_x.arrayminus, behind.error_y.array) == ((1.0,), (0.5,), None)
    assert ahead.error_y.array == (10.0,)
    assert left_out(*AXES, list(MARKS)) == ["c/m"]
    assert pareto(AXES[0], AXES[1], ["c/m"], MARKS) is None


def test_a_legend_of_dozens_names_the_front() -> None:
    """With many endpoints the legend leaves out those behind, so that the points have room."""
    values = {f"e{i}/m": exact(float(i)) for i in range(40)}
    figure = pareto(Axis("x", values, more=True), Axis("y", values, more=True), list(values), dict.fromkeys(values, 0))
    assert figure is not None
    assert [trace.name for trace in figure.data if trace.showlegend] == ["e39/m"]


def test_bills_that_are_not_known_have_no_line() -> None:
    """No line stands at 0, where a logarithm has none; with nothing to draw there is no chart."""
    usd = {"a/m": 2.0, "b/m": None, "c/m": 0.0}
    figure = volumes(lambda name, volume: usd[name] and volume * (usd[name] or 0), list(usd), 1000.0, MARKS)
    assert figure is not None
    assert [trace.name for trace in figure.data] == ["a/m"]
    assert volumes(lambda name, volume: None, list(usd), 1000.0, MARKS) is None


def test_many_names_are_counted() -> None:
    """Three are spelt out."""
    assert named(["a", "b"]) == "a, b"
    assert named(list("abcde")) == "a, b, c, 2 more"
