"""Whether the planned load is the one that was put on: offered against achieved, and how late the client was."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.report.charts.dress import dress
from harness.report.charts.load_curves import Look, placed
from harness.report.charts.marks import GREY, line, marker
from harness.report.inert import label, markup
from harness.types import JsonObject

BUSY_MS = 10.0
"""A client that is later than this at its 99th percentile was too busy for its load to be what was planned."""


def achieved(levels: Sequence[JsonObject], look: Look) -> go.Figure | None:
    """What was put on against what was planned, with a line where both are equal; None: neither is known anywhere.

    Of a rate: requests sent per second. Of a concurrency: requests under way on average, start and drain included.
    """
    figure, most = go.Figure(), 0.0
    for endpoint in dict.fromkeys(row["endpoint"] for row in levels):
        own = [row for row in placed(levels) if row["endpoint"] == endpoint and _achieved(row) is not None]
        if not own:
            continue
        own.sort(key=lambda row: row["load"])
        mark = look.marks[endpoint]
        most = max(most, *(row["load"] for row in own), *(_achieved(row) or 0.0 for row in own))
        figure.add_scatter(
            x=[row["load"] for row in own],
            y=[_achieved(row) for row in own],
            customdata=[[row["n"], row["stage"].rpartition("@")[2]] for row in own],
            mode="lines+markers",
            name=label(endpoint),
            marker=marker(mark, size=10),
            line=line(mark),
            hovertemplate=f"{markup(endpoint)}<br>%{{customdata[1]}}: planned %{{x:.4~g}}, was %{{y:.4~g}} "
            "(n=%{customdata[0]})<extra></extra>",
        )
    if not figure.data:
        return None
    figure.add_scatter(
        x=[0, most],
        y=[0, most],
        mode="lines",
        name="as planned",
        line={"color": GREY, "dash": "dash", "width": 1.2},
        hoverinfo="skip",
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    closed = levels[0]["closed"]
    return dress(figure, look.unit, "under way, mean" if closed else "sent per second", height=430)


def _achieved(row: JsonObject) -> float | None:
    found: float | None = row["concurrency_mean"] if row["closed"] else row["achieved_per_s"]
    return found


def lateness(levels: Sequence[JsonObject], client: Sequence[JsonObject], look: Look) -> go.Figure | None:
    """How late requests left and how late the client's loop was at each level, and how much of a processor it took.

    ``client`` is that of a load report: a row for each stage and process; the worst process is drawn. None: nothing
    was measured.
    """
    worst = {row["stage"]: row for row in sorted(client, key=lambda row: row["loop_lag_p99_ms"] or 0.0)}
    rows = sorted(placed(levels), key=lambda row: row["load"])
    stages = {row["stage"]: row["load"] for row in rows}
    looped = [(load, worst[stage]) for stage, load in stages.items() if stage in worst]
    if not looped and all(row["admit_slip_p99_ms"] is None for row in rows):
        return None
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for endpoint in dict.fromkeys(row["endpoint"] for row in levels):
        own = [row for row in rows if row["endpoint"] == endpoint and row["admit_slip_p99_ms"] is not None]
        mark = look.marks[endpoint]
        figure.add_scatter(
            x=[row["load"] for row in own],
            y=[row["admit_slip_p99_ms"] for row in own],
            customdata=[[row["n"], row["late_n"]] for row in own],
            mode="lines+markers",
            name=label(endpoint),
            marker=marker(mark, size=8),
            line=line(mark),
            hovertemplate=f"{markup(endpoint)}<br>%{{y:.4~g}} ms late at p99, %{{customdata[1]}} of %{{customdata[0]}} "
            "left over 10 ms after their plan<extra></extra>",
            row=1,
            col=1,
        )
    for place, (field, factor, name) in enumerate((("loop_lag_p99_ms", 1, "ms"), ("cpu_share", 100, "%")), 2):
        told = [(load, factor * row[field]) for load, row in looped if row[field] is not None]
        figure.add_scatter(
            x=[load for load, _ in told],
            y=[value for _, value in told],
            mode="lines+markers",
            name="this client",
            showlegend=place == 2,
            marker={"color": GREY, "symbol": "cross", "size": 8},
            line={"color": GREY, "width": 1.5},
            hovertemplate=f"this client: %{{y:.4~g}} {name}<extra></extra>",
            row=place,
            col=1,
        )
    for row in (1, 2):
        figure.add_hline(y=BUSY_MS, line={"color": GREY, "dash": "dash", "width": 1}, row=row, col=1)
    dress(figure, "", "", height=430)
    titles = ("sent late p99, ms", "loop late p99, ms", "processor, %")
    for place, title in enumerate(titles, 1):
        figure.update_yaxes(title=title, rangemode="tozero", row=place, col=1)
    figure.update_xaxes(title=look.unit, row=3, col=1)
    return figure
