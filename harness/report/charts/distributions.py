"""How a time is spread on both sides of a comparison, and by how much each quantile differs."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.report.charts.dress import dress
from harness.report.charts.marks import Marks, line, marker
from harness.report.inert import label, markup
from harness.types import JsonObject


def overlay(found: JsonObject, sides: Sequence[tuple[str, str]], title: str, marks: Marks) -> go.Figure | None:
    """Both empirical distributions in one chart; None: nobody answered.

    Args:
        found: as ``harness.report.comparison.distributions`` gives it.
        sides: (name for the legend, endpoint) of A and of B; A's line is thin and dotted.
        title: of the time.
        marks: of the endpoints.
    """
    figure = go.Figure()
    for place, ((name, endpoint), side) in enumerate(zip(sides, found["sides"], strict=True)):
        if not side["curve"]:
            continue
        look = line(marks[endpoint]) | (
            {"dash": "dot", "width": 1.8} if place == 0 else {"dash": "solid", "width": 2.6}
        )
        figure.add_scatter(
            x=[value for value, _ in side["curve"]],
            y=[100 * share for _, share in side["curve"]],
            mode="lines",
            name=label(name),
            line=look | {"shape": "hv"},
            hovertemplate=f"{markup(name)}<br>%{{y:.1f}} % within %{{x:.4~g}} ms<extra></extra>",
        )
    if not figure.data:
        return None
    figure.update_yaxes(range=[0, 102], tickvals=[0, 25, 50, 75, 90, 100])
    figure.update_xaxes(rangemode="tozero")
    return dress(figure, f"{title}, ms", "share of requests that have come by then, %")


def quantile_differences(found: JsonObject, endpoint: str, title: str, marks: Marks) -> go.Figure | None:
    """B minus A at each quantile with its interval, and a line at no difference; None: too few for any quantile."""
    shifts = found["shifts"]
    if not shifts:
        return None
    figure = go.Figure()
    figure.add_hline(y=0, line={"dash": "dash", "width": 1.2, "color": "#888888"})
    figure.add_scatter(
        x=[100 * row["q"] for row in shifts],
        y=[row["difference"] for row in shifts],
        customdata=[[row["a"], row["b"], row["low"], row["high"]] for row in shifts],
        error_y={
            "type": "data",
            "symmetric": False,
            "thickness": 1.5,
            "array": [row["high"] - row["difference"] for row in shifts],
            "arrayminus": [row["difference"] - row["low"] for row in shifts],
        },
        mode="lines+markers",
        name=label(endpoint),
        marker=marker(marks[endpoint], size=9),
        line=line(marks[endpoint]) | {"width": 1.5},
        hovertemplate=(
            "p%{x:.4~g}: %{customdata[0]:.4~g} → %{customdata[1]:.4~g} ms, %{y:+.4~g} "
            "[%{customdata[2]:+.4~g}, %{customdata[3]:+.4~g}]<extra></extra>"
        ),
    )
    ticks = [100 * row["q"] for row in shifts]
    figure.update_xaxes(tickvals=ticks, ticktext=[f"p{tick:g}" for tick in ticks], range=[0, 100])
    dress(figure, f"quantile of {title}", f"B − A, {title}, ms")
    figure.update_layout(showlegend=False)
    return figure
