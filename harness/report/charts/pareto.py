"""Quality against another measure: who is worth looking at."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.report.charts.dress import dress, whiskers
from harness.report.charts.marks import Marks, marker
from harness.report.inert import label, markup
from harness.types import JsonObject


def quality_against(
    endpoints: Sequence[JsonObject], field: str, title: str, unit: str, marks: Marks
) -> go.Figure | None:
    """Quality with its interval against another measure; endpoints without one of the two are left out. None: all."""
    figure = go.Figure()
    for row in endpoints:
        if lacks(row, field):
            continue
        quality, x = row["quality"], row[field]
        mean, low, high = (100 * quality[name] for name in ("mean", "low", "high"))
        bounds = row.get(field.replace("_ms", "_interval_ms"), (None, None)) if field.endswith("_ms") else (None, None)
        figure.add_scatter(
            x=[x],
            y=[mean],
            mode="markers",
            name=label(row["endpoint"]),
            marker=marker(marks[row["endpoint"]]),
            cliponaxis=False,
            error_y=whiskers(mean, low, high),
            error_x=whiskers(x, *bounds),
            hovertemplate=f"{markup(row['endpoint'])}<br>quality %{{y:.0f}} % [{low:.0f}–{high:.0f}]"
            f"<br>%{{x:.4~g}} {unit}<extra></extra>",
        )
    if not figure.data:
        return None
    dress(figure, f"{title}, {unit} (left is better)", "quality, % right")
    figure.update_yaxes(range=[0, 104], tickvals=[0, 25, 50, 75, 100])
    figure.update_xaxes(rangemode="tozero", tickformat="~f")
    return figure


def lacks(row: JsonObject, field: str) -> bool:
    """Whether this endpoint cannot be placed in a chart of quality against ``field``."""
    # Without a result, or clusters too few to bound it, there is nothing to draw a point with.
    return not row["quality"] or row["quality"]["low"] is None or row.get(field) is None
