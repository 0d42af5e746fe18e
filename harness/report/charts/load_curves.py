"""Latency, throughput, goodput and failures against the load that was offered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.report.charts.marks import GREY, Marks, colour, line, marker
from harness.report.inert import label, markup
from harness.types import JsonObject

QUANTILES = ("p50", "p95", "p99")
_WIDTHS = {"p50": 2.6, "p95": 1.6, "p99": 1.0}
_BESIDE = {"p50": "bottom right", "p95": "middle right", "p99": "top right"}
_TIMES = {"ttft": "TTFT", "tpot": "ITL (TPOT)", "e2e": "E2E"}
_ROW_PX = 200


class Look(NamedTuple):
    """How the levels of one load are drawn."""

    marks: Marks
    unit: str
    """Of the load: ``requests at once`` or ``requests per second, offered``."""
    log: bool = False
    saturation: Sequence[JsonObject] = ()
    """As in a load report, of this axis."""


def latency(
    levels: Sequence[JsonObject], quantiles: Sequence[str], look: Look, limits: JsonObject | None = None
) -> go.Figure | None:
    """Percentiles of TTFT, ITL and E2E with their intervals, and failed requests counted below; None: no time to draw.

    A percentile that too few requests lie beyond is not drawn. ``limits`` (ttft, tpot, e2e -> ms) are drawn across.
    """
    times = [
        name for name in _TIMES if any(_value(row, name, q) is not None for row in placed(levels) for q in quantiles)
    ]
    if not times:
        return None
    figure = _rows([*(1.0,) * len(times), 0.5])
    for place, name in enumerate(times, 1):
        drawn = _by_endpoint(levels)
        for q in quantiles:
            # Named once, at the curve that ends highest: names at each would lie over one another.
            named = max(drawn, key=lambda one: _last(one[1], name, q))[0]
            for endpoint, own in drawn:
                figure.add_trace(_percentile(endpoint, own, name, q, look, named=endpoint == named), row=place, col=1)
        since = " since plan" if name != "tpot" and not levels[0]["closed"] else ""
        figure.update_yaxes(title=f"{_TIMES[name]}{since}, ms", row=place, col=1)
        limit = (limits or {}).get(name)
        if limit is not None:
            _across(figure, limit, f"{limit:g} ms", place, look)
    _failures(figure, levels, len(times) + 1, look)
    return _finish(figure, levels, look, logarithmic=range(1, len(times) + 1))


def throughput(levels: Sequence[JsonObject], look: Look) -> go.Figure | None:
    """Tokens, answers and good answers per second, the share within the objectives, failures; None: nothing to draw."""
    embeds = all(row["api"] == "embeddings" for row in levels)
    shown = [
        (title, list(fields))
        for title, fields in (
            ("prompt tokens/s", ("prompt_tokens_per_s",)) if embeds else ("output tokens/s", (TOKENS,)),
            ("requests/s", ("ok_per_s", "goodput_per_s")),
            ("within objectives, %", ("slo_attainment",)),
        )
        if any(_figure_of(row, field) is not None for row in placed(levels) for field in fields)
    ]
    if not shown:
        return None
    figure = _rows([*(1.0,) * len(shown), 0.5])
    for place, (title, fields) in enumerate(shown, 1):
        for endpoint, own in _by_endpoint(levels):
            for field in fields:
                figure.add_trace(_measure(endpoint, own, field, look), row=place, col=1)
        figure.update_yaxes(title=title, row=place, col=1)
    _failures(figure, levels, len(shown) + 1, look)
    # A share, and a goodput of nothing, have no place on a logarithmic axis.
    logarithmic = [
        place for place, (_, fields) in enumerate(shown, 1) if not {"slo_attainment", "goodput_per_s"} & {*fields}
    ]
    return _finish(figure, levels, look, logarithmic=logarithmic)


TOKENS = "tokens_per_s"
"""Tokens of the measured window, or of the whole one where all arrived at once."""
_WORDS = {
    TOKENS: "output tokens/s",
    "prompt_tokens_per_s": "prompt tokens/s",
    "ok_per_s": "answered/s",
    "goodput_per_s": "good/s",
    "slo_attainment": "% within objectives",
}


def placed(levels: Iterable[JsonObject]) -> list[JsonObject]:
    """The levels that have a place on the axis: where all arrived at once there is no rate."""
    return [row for row in levels if row["load"]]


def _by_endpoint(levels: Sequence[JsonObject]) -> list[tuple[str, list[JsonObject]]]:
    rows = sorted(placed(levels), key=lambda row: row["load"])
    return [
        (name, [row for row in rows if row["endpoint"] == name])
        for name in dict.fromkeys(r["endpoint"] for r in levels)
    ]


def _rows(heights: Sequence[float]) -> go.Figure:
    figure = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[*heights])
    figure.update_layout(height=round(_ROW_PX * sum(heights)) + 90)
    return figure


def time_of(row: JsonObject, name: str) -> str:
    """Which of a level's times stands for ``ttft``, ``tpot`` or ``e2e``."""
    return f"{name}_ms" if row["closed"] or name == "tpot" else f"{name}_sched_ms"


def can_stand(of: JsonObject, q: str) -> bool:
    """Whether a percentile may be shown: ten values lie beyond it, or it is a median whose interval is bounded."""
    return bool(of["enough"] or (q == "p50" and None not in (of["low"], of["high"])))


def _value(row: JsonObject, name: str, q: str) -> float | None:
    of = row["times"][time_of(row, name)][q]
    value: float | None = of["value"] if can_stand(of, q) else None
    return value


def _last(own: Sequence[JsonObject], name: str, q: str) -> float:
    """Where a curve ends; below all others if it is not drawn."""
    return next((value for row in reversed(own) if (value := _value(row, name, q)) is not None), -1.0)


def _percentile(endpoint: str, own: Sequence[JsonObject], name: str, q: str, look: Look, *, named: bool) -> go.Scatter:
    of = [row["times"][time_of(row, name)][q] for row in own]
    values = [_value(row, name, q) for row in own]
    drawn = [place for place, value in enumerate(values) if value is not None]
    mark = look.marks[endpoint]
    return go.Scatter(
        x=[row["load"] for row in own],
        y=values,
        customdata=[
            [each["n"], _bound(each["low"]), _bound(each["high"]), row["stage"].rpartition("@")[2]]
            for each, row in zip(of, own, strict=True)
        ],
        error_y=_bars(values, [each["low"] for each in of], [each["high"] for each in of]),
        mode="lines+markers+text",
        text=[q if named and drawn and place == drawn[-1] else "" for place in range(len(own))],
        textposition=_BESIDE[q],
        name=label(endpoint),
        legendgroup=endpoint,
        showlegend=False,
        marker=_marker(mark, own, size=10 if q == "p50" else 7),
        line=line(mark) | {"width": _WIDTHS[q]},
        cliponaxis=False,
        hovertemplate=f"{markup(endpoint)}<br>%{{customdata[3]}}: {_TIMES[name]} {q} %{{y:.4~g}} ms "
        "[%{customdata[1]}–%{customdata[2]}] n=%{customdata[0]}<extra></extra>",
    )


def _bound(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def _bars(values: Sequence[float | None], lows: Sequence[float | None], highs: Sequence[float | None]) -> JsonObject:
    """Error bars where both bounds are known."""
    ups, downs = [], []
    for value, low, high in zip(values, lows, highs, strict=True):
        known = value is not None and low is not None and high is not None
        ups.append(high - value if known else 0.0)  # type: ignore[operator]
        downs.append(value - low if known else 0.0)  # type: ignore[operator]
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 3, "array": ups, "arrayminus": downs}


def _marker(mark: int, own: Sequence[JsonObject], size: int) -> JsonObject:
    """Hollow from the level on at which the server is full."""
    look = marker(mark, size=size)
    hollow = [f"{look['symbol']}-open" if row["saturated"] else look["symbol"] for row in own]
    return look | {"symbol": hollow}


def _figure_of(row: JsonObject, field: str) -> float | None:
    if field == TOKENS:
        found = row["output_tokens_per_s"] if row["window_tokens_per_s"] is None else row["window_tokens_per_s"]
    else:
        found = row[field]
    if found is None:
        return None
    return 100 * float(found) if field == "slo_attainment" else float(found)


def _measure(endpoint: str, own: Sequence[JsonObject], field: str, look: Look) -> go.Scatter:
    mark, thin = look.marks[endpoint], field == "ok_per_s"
    values = [_figure_of(row, field) for row in own]
    bars = None
    if field == "slo_attainment":
        bounds = [
            [None if row[f"{field}_{end}"] is None else 100 * row[f"{field}_{end}"] for row in own]
            for end in ("low", "high")
        ]
        bars = _bars(values, *bounds)
    n = [row["slo_judged_n"] if field in ("slo_attainment", "goodput_per_s") else row["n"] for row in own]
    return go.Scatter(
        x=[row["load"] for row in own],
        y=values,
        customdata=[[count, row["stage"].rpartition("@")[2]] for count, row in zip(n, own, strict=True)],
        error_y=bars,
        mode="lines+markers",
        name=label(endpoint),
        legendgroup=endpoint,
        showlegend=False,
        opacity=0.5 if thin else 1.0,
        marker=_marker(mark, own, size=6 if thin else 9),
        line=line(mark) | {"width": 1.2 if thin else 2.2},
        cliponaxis=False,
        hovertemplate=f"{markup(endpoint)}<br>%{{customdata[1]}}: %{{y:.4~g}} {_WORDS[field]} "
        "(n=%{customdata[0]})<extra></extra>",
    )


def _failures(figure: go.Figure, levels: Sequence[JsonObject], row: int, look: Look) -> None:
    """How many requests of each level failed, each bar with its number: none of them has a time above."""
    told = _by_endpoint(levels)
    reach = _reach(_places(levels), log=look.log) / max(len(told), 1)
    for place, (endpoint, every) in enumerate(told):
        own = _by_level(every)
        edges = [_edges(one["load"], place - len(told) / 2, reach, log=look.log) for one in own]
        figure.add_bar(
            x=[one["load"] for one in own],
            y=[one["n_failed"] for one in own],
            offset=[left - one["load"] for one, (left, _) in zip(own, edges, strict=True)],
            width=[right - left for left, right in edges],
            customdata=[[one["n"], one["stage"].rpartition("@")[2]] for one in own],
            text=[str(one["n_failed"]) for one in own],
            textposition="outside",
            textangle=0,
            constraintext="none",
            cliponaxis=False,
            name=label(endpoint),
            legendgroup=endpoint,
            showlegend=False,
            marker={"color": colour(look.marks[endpoint]), "line": {"width": 1, "color": "#444444"}},
            hovertemplate=f"{markup(endpoint)}<br>%{{customdata[1]}}: %{{y}} of %{{customdata[0]}} failed"
            "<extra></extra>",
            row=row,
            col=1,
        )
    most = max((one["n_failed"] for _, every in told for one in _by_level(every)), default=0)
    figure.update_yaxes(title="failed", range=[0, max(most, 1) * 1.35], nticks=3, tickformat="d", row=row, col=1)


def _by_level(own: Sequence[JsonObject]) -> list[JsonObject]:
    """One row for each level of an endpoint: where it was gone through several times, all of it together."""
    found: dict[object, JsonObject] = {}
    for row in own:
        first = found.setdefault(row["law"] or row["stage"], row | {"n": 0, "n_failed": 0})
        first["n"] += row["n"]
        first["n_failed"] += row["n_failed"]
    return list(found.values())


def _places(levels: Iterable[JsonObject]) -> list[float]:
    """One load for each level: the rates that endpoints were offered differ a little."""
    return sorted({row["law"] or row["stage"]: row["load"] for row in placed(levels)}.values())


def _reach(loads: Sequence[float], *, log: bool) -> float:
    """How wide the bars of one level are together: most of the smallest gap, and never too thin to be seen."""
    at = [math.log10(load) for load in loads] if log else list(loads)
    gaps = [after - before for before, after in pairwise(at)]
    return max(0.7 * min(gaps), 0.03 * (at[-1] - at[0])) if gaps else (0.1 if log else 0.1 * at[0] or 1.0)


def _edges(load: float, place: float, width: float, *, log: bool) -> tuple[float, float]:
    """Where a bar begins and ends; Plotly takes both in units of the load, on a logarithmic axis too."""
    if log:
        return load * 10 ** (place * width), load * 10 ** ((place + 1) * width)
    return load + place * width, load + (place + 1) * width


def _finish(figure: go.Figure, levels: Sequence[JsonObject], look: Look, *, logarithmic: Iterable[int]) -> go.Figure:
    """Axes, one entry in the legend for each endpoint, and where servers are full."""
    loads = _places(levels)
    ticks = (
        {"tickvals": loads, "ticktext": [f"{load:.3g}" for load in loads], "tickangle": 0} if len(loads) <= 12 else {}
    )
    figure.update_xaxes(type="log" if look.log else "linear", range=_range(loads, log=look.log), **ticks)
    last = sum(1 for _ in figure.select_yaxes())
    figure.update_xaxes(title=look.unit, row=last, col=1)
    for place in range(1, last):
        if look.log and place in logarithmic:
            figure.update_yaxes(type="log", dtick="D2", row=place, col=1)
        else:
            figure.update_yaxes(rangemode="tozero", row=place, col=1)
    for endpoint in dict.fromkeys(row["endpoint"] for row in levels):
        mark = look.marks[endpoint]
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines+markers",
            name=label(endpoint),
            legendgroup=endpoint,
            marker=marker(mark),
            line=line(mark),
            row=1,
            col=1,
        )
    for full in look.saturation:
        _mark_full(figure, full, look)
    figure.update_yaxes(automargin=True)
    figure.update_layout(
        barmode="overlay",
        margin={"l": 10, "r": 40, "t": 10, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
    return figure


def _range(loads: Sequence[float], *, log: bool) -> list[float]:
    """The axis with some room on either side; bars and labels stand over its ends."""
    if not loads:
        return [0, 1]
    low, high = loads[0], loads[-1]
    if log:
        room = 0.08 * (math.log10(high / low) or 1)
        return [math.log10(low) - room, math.log10(high) + room]
    room = 0.08 * ((high - low) or high)
    return [low - room, high + room]


def _across(figure: go.Figure, limit: float, text: str, row: int, look: Look) -> None:
    """A line at a limit with its words."""
    axis = "" if row == 1 else str(row)
    figure.add_shape(
        type="line",
        xref="paper",
        x0=0,
        x1=1,
        yref=f"y{axis}",
        y0=limit,
        y1=limit,
        line={"color": GREY, "dash": "dash", "width": 1.5},
    )
    figure.add_annotation(
        text=text,
        xref="paper",
        x=1,
        xanchor="right",
        yref=f"y{axis}",
        yanchor="bottom",
        y=math.log10(limit) if look.log else limit,
        showarrow=False,
        font={"size": 11},
    )


def _mark_full(figure: go.Figure, full: JsonObject, look: Look) -> None:
    """Where a server brought no more throughput, through all rows."""
    mark = look.marks[full["endpoint"]]
    figure.add_shape(
        type="line",
        xref="x",
        x0=full["at"],
        x1=full["at"],
        yref="paper",
        y0=0,
        y1=1,
        line={"color": colour(mark), "dash": "dot", "width": 1.5},
    )
    figure.add_annotation(
        text=f"full: {label(full['endpoint'], 24)}",
        xref="x",
        x=math.log10(full["at"]) if look.log else full["at"],
        xanchor="right",
        xshift=-3,
        yref="paper",
        y=1,
        yanchor="top",
        showarrow=False,
        textangle=-90,
        font={"size": 11},
    )
