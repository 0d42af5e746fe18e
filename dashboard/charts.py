"""Charts: pure functions from a summary to a figure.

Colours are Okabe and Ito's without the yellow, told apart with colour-blind eyes too; a shape goes with each colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from harness.types import JsonObject

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")


def style(position: int) -> dict[str, Any]:
    """Marker of the endpoint at this place of the run."""
    return {"color": COLOURS[position % len(COLOURS)], "symbol": SYMBOLS[position % len(SYMBOLS)], "size": 13}


def quality_against(endpoints: Sequence[JsonObject], field: str, title: str) -> go.Figure:
    """Quality with its interval against another measure; endpoints without one of the two are left out."""
    figure = go.Figure()
    for position, row in enumerate(endpoints):
        quality, x = row["quality"], row.get(field)
        if not quality or quality["mean"] is None or x is None:
            continue
        mean = 100 * quality["mean"]
        bars = {"array": [100 * quality["high"] - mean], "arrayminus": [mean - 100 * quality["low"]]}
        figure.add_scatter(
            x=[x],
            y=[mean],
            mode="markers+text",
            name=row["endpoint"],
            text=[row["endpoint"]],
            textposition="top center",
            marker=style(position),
            error_y={"type": "data", "symmetric": False, "thickness": 1.5, **bars},
            error_x=_interval(row, field),
            hovertemplate="%{text}<br>%{x:.4g}<br>%{y:.0f} %<extra></extra>",
        )
    _dress(figure, title, "quality, % right")
    figure.update_yaxes(range=[0, 112], tickvals=[0, 25, 50, 75, 100])
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    return figure


def _interval(row: JsonObject, field: str) -> dict[str, Any] | None:
    low, high = row.get(field.replace("_ms", "_interval_ms"), (None, None)) if field.endswith("_ms") else (None, None)
    if low is None or high is None:
        return None
    return {"type": "data", "symmetric": False, "array": [high - row[field]], "arrayminus": [row[field] - low]}


def load_levels(loads: Sequence[JsonObject], endpoints: Sequence[str], field: str, title: str) -> go.Figure:
    """A measure of each load level, one line for each endpoint."""
    figure = go.Figure()
    for position, endpoint in enumerate(endpoints):
        own = [row for row in loads if row["endpoint"] == endpoint and row[field] is not None]
        if own:
            figure.add_scatter(
                x=[row["stage"].partition("@")[2] for row in own],
                y=[row[field] for row in own],
                mode="lines+markers",
                name=endpoint,
                marker=style(position),
                line={"color": style(position)["color"]},
            )
    _dress(figure, "load level", title)
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(legend={"orientation": "h", "y": 1.18})
    return figure


def _dress(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(height=360, margin={"l": 10, "r": 10, "t": 30, "b": 10}, template="plotly_white")
    figure.update_xaxes(title=x)
    figure.update_yaxes(title=y)
