"""Latency, throughput and goodput against the load that was offered."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, queries, tables
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.levels import load_levels
from harness.report.charts.marks import Marks
from harness.types import JsonObject


def loads_part(loads: list[JsonObject], marks: Marks) -> None:
    """Charts over the levels of each load, and their numbers."""
    st.subheader("Streaming load", anchor=False)
    names = list(dict.fromkeys(row["endpoint"] for row in loads))
    for task in dict.fromkeys(row["task"] for row in loads):
        own = [row for row in loads if row["task"] == task]
        st.text(words.plain(task))
        measures = (("ttft_p95_ms", "TTFT p95, ms"), ("output_tokens_per_s", "output tokens/s, all users"))
        for place, (field, title) in zip(st.columns(2), measures, strict=True):
            with place:
                draw(
                    load_levels(own, names, field, title, marks),
                    key=f"{task}_{field}",
                    alt=f"{title} by load level; numbers below",
                    otherwise=f"no level has {title}.",
                )
    columns = [
        Column("level", meaning="c4: four requests under way; r2: two a second; p2: two a second at random"),
        Column("endpoint"),
        number("n", "Measured attempts, warm-ups left out"),
        number("failed"),
        number("TTFT p50, ms"),
        number("TTFT p95, ms"),
        number("TPOT p50, ms", "Time per output token by the server's own token count"),
        number("tokens/s", "Output tokens per second of all users together"),
        number("within objectives", "Share of attempts that met every objective of the load, failed ones too"),
        Column("clock", meaning="Source of the times: the kernel's stamps, or this program's own reading"),
    ]
    tables.show("Load levels", columns, [_load_row(row, marks) for row in loads])


def _load_row(row: JsonObject, marks: Marks) -> tuple[str | Cell, ...]:
    return (
        row["stage"].removeprefix("load."),
        Cell(row["endpoint"], marks[row["endpoint"]]),
        str(row["n"]),
        str(row["n_failed"]),
        words.number(row["ttft_p50_ms"], 1),
        words.number(row["ttft_p95_ms"], 1),
        words.number(row["tpot_p50_ms"], 2),
        words.number(row["output_tokens_per_s"], 1),
        words.percent(row["slo_attainment"]),
        row["clock"] or words.NOTHING,
    )


def show(summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if summary["loads"]:
        loads_part(summary["loads"], marks)
    else:
        st.info("This run has no load. Make one with `harness load short_chat -e PROVIDER/MODEL`")


chosen = choice.begin("Load")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)), queries.marks(chosen.version))
foot(chosen.version.results, chosen.run, {"load levels": "load_summary", "attempts under load": "load_attempts"})
