"""Client and server on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.report.charts.marks import COLOURS, GREY
from harness.report.inert import label
from harness.types import JsonObject

_ROW_PX = 130

_BLUE, _VERMILLION, _GREEN, _PURPLE = COLOURS[:4]
_Trace = tuple[str, str, str, str, str, float]
"""(source, field, name, colour, dash, factor)."""
_ROWS: tuple[tuple[str, tuple[_Trace, ...]], ...] = (
    (
        "TTFT, ms",
        (
            ("requests", "ttft_p50_ms", "TTFT, median", _BLUE, "solid", 1),
            ("requests", "ttft_max_ms", "TTFT, largest", _BLUE, "dot", 1),
        ),
    ),
    (
        "requests",
        (
            ("requests", "under_way", "under way (client)", _BLUE, "solid", 1),
            ("server", "running", "running (server)", _GREEN, "dash", 1),
            ("server", "waiting", "waiting (server)", _VERMILLION, "dashdot", 1),
        ),
    ),
    ("tokens/s", (("server", "tokens_per_s", "generated (server)", _GREEN, "solid", 1),)),
    ("KV cache, %", (("server", "kv_usage", "KV cache in use (server)", _PURPLE, "solid", 100),)),
    ("loop late, ms", (("client", "loop_lag_max_ms", "client's loop late", GREY, "solid", 1),)),
)


def over_time(found: JsonObject) -> go.Figure | None:
    """What ``harness.report.load.over_time`` found, one row for each kind of thing; None: nothing was sent.

    Failed requests are bars in a row of their own; stages are named above. What was not measured has no row.
    """
    if not found["requests"]:
        return None
    shown = [(title, [trace for trace in traces if _known(found[trace[0]], trace[1])]) for title, traces in _ROWS]
    shown = [(title, traces) for title, traces in shown if traces]
    figure = make_subplots(rows=len(shown) + 1, cols=1, shared_xaxes=True, vertical_spacing=0.03)
    for place, (title, traces) in enumerate(shown, 1):
        for source, field, name, colour, dash, factor in traces:
            told = found[source]
            figure.add_scatter(
                x=[row["at_s"] for row in told],
                y=[None if row[field] is None else factor * row[field] for row in told],
                mode="lines+markers",
                marker={"color": colour, "size": 3},
                connectgaps=source == "server",
                name=name,
                line={"color": colour, "dash": dash, "width": 1.6, "shape": "hv"},
                hovertemplate=f"%{{x:.1f}} s: %{{y:.4~g}} {name}<extra></extra>",
                row=place,
                col=1,
            )
        figure.update_yaxes(title=title, rangemode="tozero", row=place, col=1)
    last = len(shown) + 1
    failed = [row for row in found["requests"] if row["failed_n"]]
    figure.add_bar(
        x=[row["at_s"] + found["step_s"] / 2 for row in failed],
        y=[row["failed_n"] for row in failed],
        width=[max(found["step_s"], 0.004 * (found["requests"][-1]["at_s"] or 1.0))] * len(failed),
        name=f"failed ({sum(row['failed_n'] for row in failed)})",
        marker={"color": _VERMILLION},
        hovertemplate="%{x:.1f} s: %{y} failed<extra></extra>",
        row=last,
        col=1,
    )
    figure.update_yaxes(title="failed", rangemode="tozero", nticks=3, tickformat="d", row=last, col=1)
    figure.update_xaxes(title="seconds since the first planned arrival", row=last, col=1)
    _stages(figure, found["stages"])
    figure.update_yaxes(automargin=True)
    figure.update_layout(
        height=_ROW_PX * last + 90,
        margin={"l": 10, "r": 24, "t": 30, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.05, "yanchor": "bottom"},
        hovermode="closest",
    )
    return figure


def _known(told: Sequence[JsonObject], field: str) -> bool:
    return any(row[field] is not None for row in told)


def _stages(figure: go.Figure, stages: Sequence[JsonObject]) -> None:
    """Every other stage is shaded, and each is named above."""
    for place, stage in enumerate(stages):
        figure.add_shape(
            type="rect",
            xref="x",
            yref="paper",
            x0=stage["begin_s"],
            x1=stage["end_s"],
            y0=0,
            y1=1,
            layer="below",
            line={"width": 0},
            fillcolor=f"rgba(128,128,128,{0.14 if place % 2 else 0.06})",
        )
        figure.add_annotation(
            text=label(stage["stage"].rpartition("@")[2], 16),
            xref="x",
            x=(stage["begin_s"] + stage["end_s"]) / 2,
            yref="paper",
            y=1,
            yanchor="bottom",
            showarrow=False,
            font={"size": 11},
        )
