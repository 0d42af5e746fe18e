"""One attempt against time: what it waited for, and when its output arrived."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.types import JsonObject

MARKS = {
    "sched": "planned arrival",
    "admit": "let go by the limits",
    "dns": "name resolved",
    "conn": "TCP connected",
    "tls": "TLS handshake done",
    "send0": "first byte handed to the kernel",
    "send1": "last byte of the request taken by the kernel",
    "hdr": "end of the response headers",
    "ev1": "first data event",
    "tok1": "first output event (TTFT ends here)",
    "vis1": "first visible text",
    "tool1": "first tool-call event",
    "tokn": "last output event",
    "fin": "first finish reason",
    "done": "[DONE]",
    "eof": "end of the response",
}


class Phase(NamedTuple):
    """A stretch of the attempt between two marks that both happened."""

    name: str
    start_ms: float
    end_ms: float


_PHASES = (
    ("wait for limits", ("sched",), ("admit",), "#999999"),
    ("connect", ("admit",), ("tls", "conn"), "#E69F00"),
    ("time to first token", ("send0",), ("tok1",), "#0072B2"),
    ("wait for the answer", ("send0",), ("eof",), "#0072B2"),
    ("output", ("tok1",), ("tokn",), "#009E73"),
    ("close", ("tokn",), ("eof",), "#D55E00"),
)


def times(attempt: JsonObject) -> dict[str, float]:
    """Milliseconds of each mark that happened, since the first byte was sent (or was let go, where none was)."""
    zero = attempt["send0_ns"] if attempt["send0_ns"] is not None else attempt["admit_ns"]
    found = {mark: attempt[f"{mark}_ns"] for mark in MARKS}
    return {mark: (at - zero) / 1e6 for mark, at in found.items() if at is not None}


def phases(attempt: JsonObject) -> list[tuple[Phase, str]]:
    """The stretches in order, each with its colour; an answer that gave no tokens is one wait."""
    at = times(attempt)
    found = []
    for name, starts, ends, colour in _PHASES:
        start = next((at[mark] for mark in starts if mark in at), None)
        end = next((at[mark] for mark in ends if mark in at), None)
        if start is None or end is None or end < start or (name == "wait for the answer" and "tok1" in at):
            continue
        if name == "connect" and attempt["reused"]:
            continue
        found.append((Phase(name, start, end), colour))
    return found


def figure(attempt: JsonObject) -> go.Figure | None:
    """Phases as a bar, and above it how many output events had come by when; None when nothing was sent."""
    stretches = phases(attempt)
    if not stretches:
        return None
    deltas, events = attempt["chunk_delta_us"] or [], attempt["chunk_events"] or []
    heights = [0.7, 0.3] if deltas else [1.0]
    drawn = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=heights)
    if deltas:
        drawn.add_scatter(
            x=[micros / 1e3 for micros in accumulate(deltas)],
            y=list(accumulate(events)),
            customdata=events,
            mode="lines+markers",
            line={"shape": "hv", "color": "#009E73", "width": 1.5},
            marker={"size": 5},
            name="output events",
            showlegend=False,
            hovertemplate="%{x:.2f} ms: %{y} output events, %{customdata} in this read<extra></extra>",
            row=1,
            col=1,
        )
        drawn.update_yaxes(title="output events", rangemode="tozero", row=1, col=1)
    last = len(heights)
    for phase, colour in stretches:
        drawn.add_bar(
            x=[phase.end_ms - phase.start_ms],
            base=[phase.start_ms],
            y=["phase"],
            orientation="h",
            name=phase.name,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"{phase.name}: {phase.end_ms - phase.start_ms:.2f} ms<extra></extra>",
            row=last,
            col=1,
        )
    drawn.update_yaxes(showticklabels=False, fixedrange=True, row=last, col=1)
    drawn.update_xaxes(title="ms since the first byte was sent", row=last, col=1)
    drawn.update_layout(
        height=340 if deltas else 170,
        barmode="overlay",
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return drawn
