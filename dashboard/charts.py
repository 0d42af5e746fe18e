"""Charts: pure functions from a summary to a figure, None where there is nothing to draw.

Colours are Okabe and Ito's without the yellow, told apart with colour-blind eyes too; a shape goes with each colour.
Names come from files and so may hold markup: all text goes through ``dashboard.plain``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.plain import label, markup
from harness.types import JsonObject

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GLYPHS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "x": "✖", "star": "★"}
_SYMBOLS = tuple(GLYPHS)


def colour(position: int) -> str:
    """Colour of the endpoint at this place of the run."""
    return COLOURS[position % len(COLOURS)]


def symbol(position: int) -> str:
    """Its shape; together with the colour it is its own for the first 36."""
    return _SYMBOLS[(position + position // len(COLOURS)) % len(_SYMBOLS)]


def _marker(position: int) -> dict[str, Any]:
    outline = {"width": 1, "color": "#444444"}
    return {"color": colour(position), "symbol": symbol(position), "size": 12, "line": outline}


def quality_against(endpoints: Sequence[JsonObject], field: str, title: str, unit: str) -> go.Figure | None:
    """Quality with its interval against another measure; endpoints without one of the two are left out."""
    figure = go.Figure()
    for position, row in enumerate(endpoints):
        if lacks(row, field):
            continue
        quality, x = row["quality"], row[field]
        mean, low, high = (100 * quality[name] for name in ("mean", "low", "high"))
        figure.add_scatter(
            x=[x],
            y=[mean],
            mode="markers",
            name=label(row["endpoint"]),
            marker=_marker(position),
            cliponaxis=False,
            error_y={"type": "data", "symmetric": False, "thickness": 1.5, "array": [high - mean]}
            | {"arrayminus": [mean - low]},
            error_x=_interval(row, field),
            hovertemplate=f"{markup(row['endpoint'])}<br>quality %{{y:.0f}} % [{low:.0f}–{high:.0f}]"
            f"<br>%{{x:.4~g}} {unit}<extra></extra>",
        )
    if not figure.data:
        return None
    _dress(figure, f"{title}, {unit} (left is better)", "quality, % right")
    figure.update_yaxes(range=[0, 104], tickvals=[0, 25, 50, 75, 100])
    figure.update_xaxes(rangemode="tozero", tickformat="~f")
    return figure


def lacks(row: JsonObject, field: str) -> bool:
    """Whether this endpoint cannot be placed in a chart of quality against ``field``."""
    # Without a result, or clusters too few to bound it, there is nothing to draw a point with.
    return not row["quality"] or row["quality"]["low"] is None or row.get(field) is None


def _interval(row: JsonObject, field: str) -> dict[str, Any] | None:
    low, high = row.get(field.replace("_ms", "_interval_ms"), (None, None)) if field.endswith("_ms") else (None, None)
    if low is None or high is None:
        return None
    bars = {"array": [high - row[field]], "arrayminus": [row[field] - low]}
    return {"type": "data", "symmetric": False, "thickness": 1.5, **bars}


def load_levels(loads: Sequence[JsonObject], endpoints: Sequence[str], field: str, title: str) -> go.Figure | None:
    """A measure of each level of one load in the order of rising stress, one line for each endpoint."""
    figure = go.Figure()
    levels = sorted({(row["level"] is None, row["level"] or 0, row["stage"]) for row in loads})
    for position, endpoint in enumerate(endpoints):
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
                marker=_marker(position),
                line={"color": colour(position), "dash": ("solid", "dash", "dot", "dashdot")[position % 4]},
                hovertemplate=f"{markup(endpoint)}<br>%{{x}}: %{{y:.4~g}} (n=%{{customdata}})<extra></extra>",
            )
    if not figure.data:
        return None
    _dress(figure, "load level", title)
    names = [label(level_name(stage)) for _, _, stage in levels]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=names, range=[-0.3, len(names) - 0.7])
    figure.update_yaxes(rangemode="tozero")
    return figure


def level_name(stage: str) -> str:
    """``c4`` of ``load.short_chat@c4``."""
    return stage.rpartition("@")[2]


def _dress(figure: go.Figure, x: str, y: str) -> None:
    legend = {"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"}
    margin = {"l": 10, "r": 24, "t": 10, "b": 10}
    figure.update_layout(height=380, margin=margin, legend=legend, showlegend=True, hovermode="closest")
    figure.update_xaxes(title=x, automargin=True)
    figure.update_yaxes(title=y, automargin=True)
