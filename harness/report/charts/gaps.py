"""The gaps of a verification: each test's distance from the reference beside its margin and its noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.report.charts.dress import dress, whiskers
from harness.report.charts.marks import GREY, Marks, marker
from harness.report.fidelity.failures import ANSWERED
from harness.report.fidelity.quality import SCORE
from harness.report.inert import label, markup
from harness.types import JsonObject

_FARTHEST = 6.0
"""Margins from 0 up to which is drawn; what lies beyond stands at the edge with its figure."""
_TOGETHER = 0.7
"""Share of a row that its endpoints spread over."""


class Gap(NamedTuple):
    """One test of one endpoint in margins: 1 is as far as still counts as the same."""

    test: str
    endpoint: str
    value: float
    low: float | None
    high: float | None
    ceiling: float | None
    """How far the reference is from itself."""
    row: JsonObject


def gaps_of(found: JsonObject) -> Iterator[Gap]:
    """Every finding that has a gap and a margin, turned so that right is further away, or worse.

    ``found`` as ``harness.report.fidelity.found.found_in`` gives it.
    """
    for candidate in found["candidates"]:
        for one in candidate["findings"]:
            if one["value"] is None or not one["margin"]:
                continue
            worse_below = one["test"] == ANSWERED or one["test"].startswith(SCORE)
            scale = (-1 if worse_below else 1) / one["margin"]
            low, high = (None if one[bound] is None else one[bound] * scale for bound in ("low", "high"))
            low, high = (high, low) if worse_below else (low, high)
            ceiling = None if one["ceiling"] is None else one["ceiling"] / one["margin"]
            yield Gap(one["test"], candidate["endpoint"], one["value"] * scale, low, high, ceiling, one)


def gaps(found: JsonObject, marks: Marks) -> go.Figure | None:
    """A row a test, a point an endpoint; None: no test has a gap with a margin."""
    drawn = list(gaps_of(found))
    if not drawn:
        return None
    tests = list(dict.fromkeys(one.test for one in drawn))
    names = list(dict.fromkeys(one.endpoint for one in drawn))
    figure = go.Figure()
    figure.add_vrect(x0=-1, x1=1, fillcolor=GREY, opacity=0.16, line_width=0, layer="below")
    figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    _ceilings(figure, drawn, tests)
    for number, name in enumerate(names):
        offset = _TOGETHER * ((number + 0.5) / len(names) - 0.5)
        own = [one for one in drawn if one.endpoint == name]
        _points(figure, name, own, [tests.index(one.test) + offset for one in own], marks)
    dress(figure, "gap in margins: within ±1 it counts as the same; right is further away, or worse", "")
    figure.update_layout(height=130 + len(tests) * max(36, 18 * len(names)))
    figure.update_xaxes(range=_span(drawn), zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(tests))), ticktext=tests, range=[len(tests) - 0.4, -0.6], showgrid=False, zeroline=False
    )
    return figure


def _points(figure: go.Figure, name: str, own: Sequence[Gap], places: Sequence[float], marks: Marks) -> None:
    at = [_clipped(one.value) for one in own]
    bars = [whiskers(_clipped(one.value), _clip(one.low), _clip(one.high)) for one in own]
    figure.add_scatter(
        x=at,
        y=list(places),
        mode="markers+text",
        name=label(name),
        marker=marker(marks[name], size=11),
        error_x={
            "type": "data",
            "symmetric": False,
            "thickness": 1.5,
            "array": [bar["array"][0] if bar else 0 for bar in bars],
            "arrayminus": [bar["arrayminus"][0] if bar else 0 for bar in bars],
        },
        text=[f"{one.value:.0f}× " if abs(one.value) > _FARTHEST else "" for one in own],
        textposition=["middle left" if one.value > 0 else "middle right" for one in own],
        hovertext=[_hover(one) for one in own],
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )


def _ceilings(figure: go.Figure, drawn: Sequence[Gap], tests: Sequence[str]) -> None:
    """How far the reference is from itself, once a test: all candidates have the same."""
    own = {one.test: one.ceiling for one in drawn if one.ceiling is not None}
    if not own:
        return
    figure.add_scatter(
        x=[_clipped(ceiling) for ceiling in own.values()],
        y=[tests.index(test) for test in own],
        mode="markers",
        name="ceiling: the reference from itself",
        marker={"symbol": "line-ns", "size": 22, "line": {"width": 2, "color": GREY}},
        hovertext=[
            f"{markup(test)}: the reference is {ceiling:.2f} margins from itself" for test, ceiling in own.items()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _hover(one: Gap) -> str:
    bounds = "" if one.low is None or one.high is None else f" [{one.low:.2f} to {one.high:.2f}]"
    return (
        f"{markup(one.endpoint)}<br>{markup(one.test)}: {markup(one.row['word'])}<br>{one.value:.2f} margins{bounds}"
        f"<br>{markup(one.row['says'])}"
    )


def _span(drawn: Sequence[Gap]) -> list[float]:
    seen = [bound for one in drawn for bound in (one.value, one.low, one.high, one.ceiling) if bound is not None]
    return [max(-_FARTHEST, min(-1.4, *seen)) - 0.3, min(_FARTHEST, max(1.4, *seen)) + 0.3]


def _clipped(value: float) -> float:
    return max(-_FARTHEST, min(_FARTHEST, value))


def _clip(value: float | None) -> float | None:
    return None if value is None else _clipped(value)
