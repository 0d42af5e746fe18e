"""Latency, throughput, goodput and failures against the load that was offered, and whether it can be believed."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from dashboard import choice, loads, plain, queries
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.load_parts import believed, errors_part, kept_up_part, levels_table, not_drawn, server_part
from harness.report import words
from harness.report.charts import load_curves
from harness.report.charts.marks import Marks
from harness.report.load import goodput
from harness.types import JsonObject, Slo

_AXES = {"concurrency": "requests at once", "rate": "requests per second, offered"}
# Names of objectives, with what stands beside the slider and how far it goes at least, ms.
_LIMITS = {"ttft": ("TTFT within, ms", 2000), "tpot": ("ITL within, ms", 100), "e2e": ("E2E within, ms", 10_000)}


class Asked(NamedTuple):
    """What of a run is drawn, and how."""

    levels: list[JsonObject]
    axis: str
    quantiles: list[str]
    log: bool
    limits: dict[str, int | None]


def ask(chosen: choice.Chosen, report: JsonObject) -> Asked:
    """The choices of the page, each in the address."""
    series: dict[str, list[JsonObject]] = {}
    for row in report["levels"]:
        axis = "concurrency" if row["closed"] else "rate"
        series.setdefault(f"{row['task']} by {axis}", []).append(row)
    names = list(series)
    what, which, how = st.columns([2, 2, 1], vertical_alignment="bottom")
    if st.session_state.get("load", names[0]) not in names:
        del st.session_state["load"]
    picked = what.selectbox("Load", names, key="load", bind="query-params")
    name = picked if picked in names else names[0]
    with which:
        quantiles = st.pills(
            "Percentiles",
            list(load_curves.QUANTILES),
            selection_mode="multi",
            default=["p50", "p95"],
            key="percentile",
            bind="query-params",
        )
    log = how.toggle("Logarithmic axes", key="log", bind="query-params")
    levels = series[name]
    return Asked(
        levels,
        "concurrency" if levels[0]["closed"] else "rate",
        [q for q in load_curves.QUANTILES if q in quantiles] or ["p50"],
        bool(log),
        _limits(chosen, levels),
    )


def _limits(chosen: choice.Chosen, levels: list[JsonObject]) -> dict[str, int | None]:
    """The objectives: those of the load, until a slider is moved; 0 leaves one out."""
    own = loads.objectives(chosen.version, chosen.run).get(levels[0]["task"], {})
    found: dict[str, int | None] = {}
    for place, (name, (title, least)) in zip(st.columns(3), _LIMITS.items(), strict=True):
        stated = round(own.get(name) or 0)
        largest = max(least, stated, round(_largest(levels, name)))
        step = 1 if largest <= 500 else 5 if largest <= 2500 else 50
        top = -(-largest // step) * step
        value = place.slider(
            title,
            0,
            top,
            min(round(stated / step) * step, top),
            step,
            key=f"{name}_ms",
            bind="query-params",
            help="0: no such objective. The line is drawn across the chart; goodput is counted anew.",
        )
        found[name] = value or None
    return found


def _largest(levels: list[JsonObject], name: str) -> float:
    field = "tpot_p95_ms" if name == "tpot" else f"{name}_sched_p95_ms"
    return max((row[field] or 0.0 for row in levels), default=0.0)


def show(chosen: choice.Chosen, report: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    believed(report)
    asked = ask(chosen, report)
    slo = Slo(ttft_ms=asked.limits["ttft"], tpot_ms=asked.limits["tpot"], e2e_ms=asked.limits["e2e"])
    levels = goodput.under(
        asked.levels,
        queries.or_stop(lambda: loads.attained(chosen.version, chosen.run, asked.levels[0]["task"], slo)),
    )
    full = [row for row in report["saturation"] if row["axis"] == asked.axis]
    look = load_curves.Look(marks, _AXES[asked.axis], asked.log, full)
    for line in _held(levels, slo, asked.axis):
        st.text(words.plain(line))
    left, right = st.columns(2)
    with left:
        st.markdown("**Latency**")
        draw(
            load_curves.latency(levels, asked.quantiles, look, asked.limits),
            key="latency",
            alt="Percentiles of TTFT, ITL and E2E by load, and failed requests; figures in the table of levels",
            otherwise="no level has enough answers for these percentiles: p50 takes 6, p95 200, p99 1,000.",
        )
        for line in not_drawn(levels, asked.quantiles):
            st.caption(plain.message(line))
    with right:
        st.markdown("**Throughput and goodput**")
        draw(
            load_curves.throughput(levels, look),
            key="throughput",
            alt="Tokens and good requests per second by load, and failed requests; figures in the table of levels",
            otherwise="no answer of these levels has stated tokens, and no request was answered.",
        )
        st.caption(
            "Faint: all answers per second; strong: those within the objectives. Hollow points and dotted lines: the "
            "server is full, more load brings no more."
        )
    for row in full:
        st.text(words.plain(f"{row['endpoint']} is full: {row['reason']}"))
    levels_table(levels, marks)
    kept_up_part(report, levels, look)
    errors_part(report, marks)
    server_part(chosen, report, list(dict.fromkeys(row["endpoint"] for row in levels)))


def _held(levels: list[JsonObject], slo: Slo, axis: str) -> list[str]:
    """Up to which load each endpoint keeps the objectives."""
    if slo == Slo():
        return ["No objective is set: move a slider to see the goodput under it."]
    said = []
    for name in dict.fromkeys(row["endpoint"] for row in levels):
        best = goodput.highest_met([row for row in levels if row["endpoint"] == name])
        if best is None:
            said.append(f"{name}: not even the lowest level has 95 % of its requests within these objectives.")
            continue
        low, high = 100 * best["slo_attainment_low"], 100 * best["slo_attainment_high"]
        unit = "at once" if axis == "concurrency" else "a second"
        said.append(
            f"{name}: 95 % within these objectives up to {best['load']:.4g} {unit} "
            f"({words.percent(best['slo_attainment'])} [{low:.0f}–{high:.0f}] of {best['slo_judged_n']}), "
            f"{words.number(best['goodput_per_s'], 2)} good requests/s."
        )
    return said


CHOSEN = choice.begin("Load")
REPORT = queries.or_stop(lambda: loads.report(CHOSEN.version, CHOSEN.run))
if REPORT is None:
    st.info("This run has no load. Make one with `harness load short_chat -e PROVIDER/MODEL`")
elif not REPORT["levels"]:
    st.info("No request of this run's load was measured yet. Finish it with `harness resume`")
else:
    show(CHOSEN, REPORT, queries.marks(CHOSEN.version))
foot(CHOSEN.version.results, CHOSEN.run, {"load levels": "load_summary", "attempts under load": "load_attempts"})
