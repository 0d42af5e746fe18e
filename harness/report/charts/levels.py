"""A measure against the levels of a load."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.report.charts.dress import dress
from harness.report.charts.marks import Marks, line, marker
from harness.report.inert import label, markup
from harness.types import JsonObject


def load_levels(
    loads: Sequence[JsonObject], endpoints: Sequence[str], field: str, title: str, marks: Marks
) -> go.Figure | None:
    """A measure of each level of one load in the order of rising stress, one line for each endpoint; None: nothing."""
    figure = go.Figure()
    levels = sorted({(row["level"] is None, row["level"] or 0, row["stage"]) for row in loads})
    for endpoint in endpoints:
        own = {row["stage"]: row for row in loads if row["endpoint"] == endpoint and row[field] is not None}
        # A level without a number is a gap in the line.
        rows = [own.get(stage) for _, _, stage in levels]
        if own:
            figure.add_scatter(
                x=[label(level_name(stage)) for _, _, stage in levels],
                y=[row and row[field] for row in rows],
                customdata=[row and row["n_ok"] for row in rows],
                mode="lines+markers",
                name=label(endpoint),
                marker=marker(marks[endpoint]),
                line=line(marks[endpoint]),
                hovertemplate=f"{markup(endpoint)}<br>%{{x}}: %{{y:.4~g}} (n=%{{customdata}})<extra></extra>",
            )
    if not figure.data:
        return None
    names = [label(level_name(stage)) for _, _, stage in levels]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=names, range=[-0.3, len(names) - 0.7])
    figure.update_yaxes(rangemode="tozero")
    return dress(figure, "load level", title)


def level_name(stage: str) -> str:
    """``c4`` of ``load.short_chat@c4``."""
    return stage.rpartition("@")[2]
