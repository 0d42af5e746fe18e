"""A figure from night to night: values with their intervals, levels, changes, gaps, and what is expected next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import plotly.graph_objects as go

from harness.report.charts.dress import dress
from harness.report.charts.marks import GREY, Marks, colour, line, marker, symbol
from harness.report.inert import label, markup
from harness.report.nights.annotations import Annotation
from harness.report.nights.terminal import interval_in, size_of, value_in
from harness.report.nights.trend import Point, Series
from harness.types import JsonObject

_PERCENT = ("share", "score")
_MOST = 2000
"""Nights of a series that are drawn, the latest."""


def nights(
    found: Sequence[Series], marks: Marks, told: Sequence[Annotation] = (), run: str | None = None
) -> go.Figure | None:
    """Series of one metric and one piece of work against time. None: no series has a value.

    A line breaks where a run has no value, where runs are missing and where a new series begins; a run that does not
    count is an open grey mark. The dashed line is a level, the shaded box what the next night is expected to be.

    Args:
        found: the series; those of one endpoint follow one another.
        marks: the look of each endpoint.
        told: what people wrote about dates; those of endpoints that are not drawn are left out.
        run: one that is to be marked.
    """
    drawn = [series for series in found if any(point.value is not None for point in series.points)]
    if not drawn:
        return None
    figure = go.Figure()
    named: set[str] = set()
    for series in drawn:
        _values(figure, series, marks, first=series.endpoint not in named)
        named.add(series.endpoint)
        _levels(figure, series, marks)
        _left_out(figure, series, marks)
        _next(figure, series, marks)
    _told(figure, [one for one in told if any(one.is_about(name) for name in named)])
    _marked(figure, drawn, run)
    unit = drawn[0].unit
    dress(figure, "start of the run, UTC", f"{drawn[0].title}, {'%' if unit in _PERCENT else unit}", height=460)
    figure.update_xaxes(type="date", range=_days(drawn))
    figure.update_layout(margin={"t": 40})
    return figure


def _days(drawn: Sequence[Series]) -> list[datetime] | None:
    """A day around nights that lie within one: the axis would be cut into thousandths of a second. None: as it fits."""
    moments = [datetime.fromisoformat(point.at) for series in drawn for point in series.points]
    first, last = min(moments), max(moments)
    half = timedelta(hours=12)
    return None if last - first > half else [first - half, last + half]


def _values(figure: go.Figure, series: Series, marks: Marks, *, first: bool) -> None:
    """The nights that count, with gaps between them where some are missing."""
    rows = list(_with_breaks(series))
    changes = {change.run_id: change for change in series.changes}
    said = []
    for point in rows:
        change = changes.get(point.run_id) if point else None
        word = f"<br>{'worse' if change.worse else 'better'} {markup(size_of(series, change))}" if change else ""
        said.append("" if point is None else _said(series, point) + word)
    figure.add_scatter(
        x=[point and point.at for point in rows],
        y=[_on_axis(series, point.value) if point and point.value is not None else None for point in rows],
        customdata=[[point.run_id if point else ""] for point in rows],
        text=said,
        mode="lines+markers",
        name=label(series.endpoint),
        legendgroup=label(series.endpoint),
        showlegend=first,
        marker=marker(marks[series.endpoint], size=9),
        line=line(marks[series.endpoint]),
        error_y=_bars(series, rows),
        connectgaps=False,
        hovertemplate="%{text}<extra></extra>",
    )
    _changes(figure, series, marks)


def _with_breaks(series: Series) -> list[Point | None]:
    """The nights that count, in time order; None: the line breaks here."""
    breaks = {gap.before for gap in series.gaps}
    found: list[Point | None] = []
    for point in series.points[-_MOST:]:
        if point.at in breaks:
            found.append(None)
        found.append(point if point.problem is None and point.value is not None else None)
    return found


def _bars(series: Series, rows: Sequence[Point | None]) -> JsonObject:
    """Interval bars; a night that is not bounded on both sides has none."""
    up, down = [], []
    for point in rows:
        if point is None or point.value is None or point.low is None or point.high is None:
            up.append(0.0)
            down.append(0.0)
        else:
            low, at, high = (_on_axis(series, value) for value in (point.low, point.value, point.high))
            up.append(high - at)
            down.append(at - low)
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1, "width": 2}


def _on_axis(series: Series, value: float) -> float:
    """From the metric's unit to that of the axis."""
    return 100 * value if series.unit in _PERCENT else value


def _said(series: Series, point: Point) -> str:
    value = f"{value_in(series.unit, point.value)} [{interval_in(series.unit, point.low, point.high)}] n={point.n}"
    return (
        f"{markup(series.endpoint)}<br>{point.at[:16].replace('T', ' ')}<br>{markup(value)}<br>{markup(point.run_id)}"
    )


def _levels(figure: go.Figure, series: Series, marks: Marks) -> None:
    for level in series.segments:
        figure.add_scatter(
            x=[level.first_at, level.last_at],
            y=[_on_axis(series, level.level)] * 2,
            mode="lines",
            legendgroup=label(series.endpoint),
            showlegend=False,
            line={"color": colour(marks[series.endpoint]), "dash": "dash", "width": 1},
            hovertemplate=f"level {markup(value_in(series.unit, level.level))} of {level.nights} nights<extra></extra>",
        )


def _changes(figure: go.Figure, series: Series, marks: Marks) -> None:
    """A line where a level ended, with the word and the size."""
    for change in series.changes:
        word = "▲ worse" if change.worse else "▼ better"
        figure.add_vline(x=change.at, line={"color": colour(marks[series.endpoint]), "width": 2, "dash": "dot"})
        figure.add_annotation(
            x=change.at,
            y=1.0,
            yref="paper",
            yanchor="bottom",
            xanchor="left",
            showarrow=False,
            text=f"{word} {label(size_of(series, change).partition(' [')[0])}",
            font={"size": 12},
        )


def _left_out(figure: go.Figure, series: Series, marks: Marks) -> None:
    """Runs with a problem: what they have is shown, and counts for nothing."""
    rows = [point for point in series.points[-_MOST:] if point.problem is not None and point.value is not None]
    if not rows:
        return
    figure.add_scatter(
        x=[point.at for point in rows],
        y=[_on_axis(series, point.value) for point in rows if point.value is not None],
        customdata=[[point.run_id] for point in rows],
        text=[f"{_said(series, point)}<br>left out: {markup(str(point.problem))}" for point in rows],
        mode="markers",
        name="left out",
        legendgroup=label(series.endpoint),
        showlegend=False,
        marker={"color": GREY, "symbol": f"{symbol(marks[series.endpoint])}-open", "size": 10},
        hovertemplate="%{text}<extra></extra>",
    )


def _next(figure: go.Figure, series: Series, marks: Marks) -> None:
    """Between what the next night is expected, a box where that night would be."""
    if series.expected_low is None or series.expected_high is None or len(series.points) < 2:
        return
    moments = [datetime.fromisoformat(point.at) for point in series.points]
    step = timedelta(seconds=median((b - a).total_seconds() for a, b in pairwise(moments)))
    begin, end = moments[-1] + step / 2, moments[-1] + 3 * step / 2
    low, high = (_on_axis(series, bound) for bound in (series.expected_low, series.expected_high))
    expected = interval_in(series.unit, series.expected_low, series.expected_high)
    figure.add_scatter(
        x=[begin, begin, end, end, begin],
        y=[low, high, high, low, low],
        mode="lines",
        fill="toself",
        opacity=0.35,
        legendgroup=label(series.endpoint),
        showlegend=False,
        line={"color": colour(marks[series.endpoint]), "width": 1},
        name="",
        text=f"{markup(series.endpoint)}<br>next expected within {markup(expected)}",
        hoveron="fills",
        hoverinfo="text",
    )


def _told(figure: go.Figure, told: Sequence[Annotation]) -> None:
    """What people wrote, at its date; the whole text when the pointer rests on it."""
    for one in told:
        figure.add_vline(x=one.at.isoformat(), line={"color": GREY, "width": 1})
        figure.add_annotation(
            x=one.at.isoformat(),
            y=0,
            yref="paper",
            yanchor="bottom",
            xanchor="right",
            textangle=-90,
            showarrow=False,
            text=label(one.text, 40),
            hovertext=markup(f"{one.at:%Y-%m-%d %H:%M} {one.endpoint or 'all endpoints'}: {one.text}"),
            font={"size": 11},
        )


def _marked(figure: go.Figure, drawn: Sequence[Series], run: str | None) -> None:
    at = next((point.at for series in drawn for point in series.points if point.run_id == run), None)
    if at is not None:
        figure.add_vline(x=at, line={"color": GREY, "width": 8}, opacity=0.25, layer="below")
