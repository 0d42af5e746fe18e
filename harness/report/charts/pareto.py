"""Two measures against each other: who is worth looking at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.report.charts.dress import dress, whiskers
from harness.report.charts.marks import Marks, marker
from harness.report.decision.front import dominated
from harness.report.decision.told import amount
from harness.report.inert import label, markup
from harness.stats.mover import Estimate

_NAMED = 8
"""Points up to which the legend names them all."""


class Axis(NamedTuple):
    """One measure."""

    title: str
    """With its unit."""
    values: Mapping[str, Estimate]
    """By endpoint, in the unit of the title."""
    more: bool
    """Whether more is better."""
    whole: float | None = None
    """Where the axis ends; None: where the points do."""


def pareto(x: Axis, y: Axis, names: Sequence[str], marks: Marks) -> go.Figure | None:
    """One measure against another with crosses for their intervals; who lacks one of them is left out. None: all do.

    Points off the front are grey: some other point is at least as good in both and better in one, by the estimates.
    """
    placed = [name for name in names if name in x.values and name in y.values]
    by = dominated({name: (x.values[name].value, y.values[name].value) for name in placed}, more=(x.more, y.more))
    figure = go.Figure()
    # What stands back is drawn first.
    for name in sorted(placed, key=lambda name: name not in by):
        across, up = x.values[name], y.values[name]
        aside = f"<br>behind {label(by[name])} in both" if name in by else "<br>nobody is ahead in both"
        figure.add_scatter(
            x=[across.value],
            y=[up.value],
            mode="markers",
            name=label(name),
            # A legend of dozens would leave no room for the points: then it names the front, and hovering the others.
            showlegend=name not in by or len(placed) <= _NAMED,
            marker=marker(marks[name], faded=name in by),
            cliponaxis=False,
            error_x=whiskers(*across),
            error_y=whiskers(*up),
            hovertemplate=f"{markup(name)}<br>{_told(x, across)}<br>{_told(y, up)}{aside}<extra></extra>",
        )
    if not placed:
        return None
    for axis, update in ((x, figure.update_xaxes), (y, figure.update_yaxes)):
        update(rangemode="tozero", tickformat="~s" if axis.whole is None else "~f")
        if axis.whole is not None:
            update(range=[0, 1.04 * axis.whole])
    better = {True: "more is better", False: "less is better"}
    return dress(figure, f"{x.title} ({better[x.more]})", f"{y.title} ({better[y.more]})")


def _told(axis: Axis, of: Estimate) -> str:
    return f"{axis.title}: {amount(of)}"


def left_out(x: Axis, y: Axis, names: Sequence[str]) -> list[str]:
    """Who cannot be placed, for want of one of the two."""
    return [name for name in names if name not in x.values or name not in y.values]
