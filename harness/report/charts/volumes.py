"""The monthly bill of each endpoint against the volume of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from harness.report.charts.dress import dress
from harness.report.charts.marks import GREY, Marks, line
from harness.report.inert import label, markup

_POINTS = 121
_DECADES = 3.0
"""Drawn: so many tenfolds, half of them below the volume asked for."""


def volumes(
    bill: Callable[[str, float], float | None], names: Sequence[str], requests_per_day: float, marks: Marks
) -> go.Figure | None:
    """USD a month over requests a day, both axes logarithmic; who has no bill, or pays nothing, is left out.

    ``bill`` gives an endpoint's USD a month at so many requests a day; None: not known. None: nobody has one.
    """
    figure = go.Figure()
    steps = [requests_per_day * 10 ** (_DECADES * (i / (_POINTS - 1) - 0.5)) for i in range(_POINTS)]
    for name in names:
        usd = [bill(name, volume) for volume in steps]
        if all(usd):
            figure.add_scatter(
                x=steps,
                y=usd,
                mode="lines",
                name=label(name),
                line=line(marks[name]),
                hovertemplate=f"{markup(name)}<br>%{{x:,.3s}} requests a day: %{{y:,.4~g}} USD a month<extra></extra>",
            )
    if not figure.data:
        return None
    figure.add_vline(x=requests_per_day, line={"color": GREY, "dash": "dash", "width": 1.5})
    dress(figure, "requests a day", "USD a month")
    figure.update_xaxes(type="log", tickformat="~s", dtick=1)
    return figure.update_yaxes(type="log", tickformat="~s", dtick=1)
