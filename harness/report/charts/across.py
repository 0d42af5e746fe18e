"""A measure over several runs: one line for each endpoint, with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.report.charts.dress import dress
from harness.report.charts.marks import Marks, line, marker
from harness.report.inert import label, markup


class Point(NamedTuple):
    """A measure of one endpoint in one run."""

    run: str
    """How the run is called below the chart; runs stand in the order in which they come."""
    endpoint: str
    value: float | None
    """None: not measured in that run; the line has a gap there."""
    low: float | None
    high: float | None
    n: int | None


def across(points: Sequence[Point], title: str, marks: Marks, *, percent: bool = False) -> go.Figure | None:
    """A measure of each endpoint from run to run; ``percent``: values are from 0 to 100. None: no value at all."""
    names = list(dict.fromkeys(point.run for point in points))
    figure = go.Figure()
    for endpoint in dict.fromkeys(point.endpoint for point in points):
        own = [point for point in points if point.endpoint == endpoint]
        if all(point.value is None for point in own):
            continue
        figure.add_scatter(
            x=[label(point.run) for point in own],
            y=[point.value for point in own],
            customdata=[[_bound(point.low), _bound(point.high), point.n] for point in own],
            error_y=_whiskers(own),
            mode="lines+markers",
            name=label(endpoint),
            marker=marker(marks[endpoint], size=9),
            line=line(marks[endpoint]),
            hovertemplate=f"{markup(endpoint)}<br>%{{x}}: %{{y:.4~g}} [%{{customdata[0]}}–%{{customdata[1]}}] "
            "(n=%{customdata[2]})<extra></extra>",
        )
    if not figure.data:
        return None
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=[label(name) for name in names])
    figure.update_yaxes(range=[0, 104] if percent else None, rangemode="tozero")
    return dress(figure, "run", title)


def _whiskers(own: Sequence[Point]) -> dict[str, object]:
    """Error bars; none where a bound is not known."""
    bars = {
        name: [
            None if point.value is None or bound is None else abs(bound - point.value)
            for point, bound in ((point, getattr(point, side)) for point in own)
        ]
        for name, side in (("array", "high"), ("arrayminus", "low"))
    }
    return {"type": "data", "symmetric": False, "thickness": 1.2, **bars}


def _bound(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"
