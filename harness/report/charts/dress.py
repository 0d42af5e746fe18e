"""What all charts have in common: axes with units, a legend above, and room for both."""

from __future__ import annotations

import plotly.graph_objects as go

from harness.types import JsonObject


def dress(figure: go.Figure, x: str, y: str, *, height: int = 380) -> go.Figure:
    """Give a figure its axes' titles, legend and margins; returns it."""
    legend = {"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"}
    margin = {"l": 10, "r": 24, "t": 10, "b": 10}
    figure.update_layout(height=height, margin=margin, legend=legend, showlegend=True, hovermode="closest")
    figure.update_xaxes(title=x, automargin=True)
    figure.update_yaxes(title=y, automargin=True)
    return figure


def whiskers(at: float | None, low: float | None, high: float | None) -> JsonObject | None:
    """Plotly's error bars of an interval; None where it is not bounded on both sides."""
    if at is None or low is None or high is None:
        return None
    bars = {"array": [high - at], "arrayminus": [at - low]}
    return {"type": "data", "symmetric": False, "thickness": 1.5, **bars}
