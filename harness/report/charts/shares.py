"""A share of each endpoint as a bar with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from harness.report.charts.dress import dress, whiskers
from harness.report.charts.marks import GREY, Marks, colour
from harness.report.inert import label, markup
from harness.stats.mover import Estimate


def shares(
    values: Mapping[str, Estimate], n: Mapping[str, int], names: Sequence[str], title: str, target: float, marks: Marks
) -> go.Figure | None:
    """Bars in the order of ``names``, from above, and a line at ``target``; who has no value is left out. None: all."""
    shown = [name for name in names if name in values]
    if not shown:
        return None
    figure = go.Figure()
    for name in shown:
        one = values[name]
        at, low, high = (None if value is None else 100 * value for value in one)
        figure.add_bar(
            x=[at],
            y=[label(name)],
            orientation="h",
            marker={"color": colour(marks[name]), "opacity": 0.7},
            error_x=whiskers(at, low, high),
            name=label(name),
            showlegend=False,
            hovertemplate=f"{markup(name)}: %{{x:.1f}} % of {n[name]}<extra></extra>",
        )
    figure.add_vline(x=100 * target, line={"color": GREY, "dash": "dash", "width": 1.5})
    dress(figure, title, "", height=110 + 34 * len(shown))
    figure.update_xaxes(range=[0, 104], tickvals=[0, 25, 50, 75, 100])
    names_above = {"categoryorder": "array", "categoryarray": [label(name) for name in reversed(shown)]}
    return figure.update_yaxes(type="category", **names_above)
