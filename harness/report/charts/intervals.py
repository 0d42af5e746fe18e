"""Scores of one task with their intervals, an endpoint a line."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.report import words
from harness.report.charts.dress import dress, whiskers
from harness.report.charts.marks import GREY, Marks, marker
from harness.report.inert import label, markup
from harness.types import JsonObject


def task_scores(tasks: Sequence[JsonObject], marks: Marks) -> go.Figure | None:
    """The mean score of each row with its 95 % interval; where too little was scored, the bounds in grey.

    Rows as ``tasks`` of the summary has them, all of one task. None: nothing was scored.
    """
    figure = go.Figure()
    for row in tasks:
        mean = row["mean"] if row["mean"] is not None else row["mean_of_asked"]
        if mean is None:
            continue
        name = label(row["endpoint"])
        shared = {
            "name": name,
            "showlegend": False,
            "hovertemplate": f"{markup(row['endpoint'])}<br>{markup(words.score(row))}<extra></extra>",
        }
        if row["mean"] is None:
            line = {"color": GREY, "width": 6}
            ends = [100 * row["mean_of_asked"], 100 * row["at_most"]]
            figure.add_scatter(x=ends, y=[name, name], mode="lines", line=line, **shared)
            continue
        low, high = (None if row[bound] is None else 100 * row[bound] for bound in ("low", "high"))
        mark = marker(marks[row["endpoint"]])
        bars = whiskers(100 * mean, low, high)
        figure.add_scatter(
            x=[100 * mean], y=[name], mode="markers", marker=mark, error_x=bars, cliponaxis=False, **shared
        )
    if not figure.data:
        return None
    dress(figure, "mean score, % (right is better)", "", height=110 + 34 * len(figure.data))
    figure.update_xaxes(range=[-2, 102], tickvals=[0, 25, 50, 75, 100])
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_layout(showlegend=False)
    return figure
