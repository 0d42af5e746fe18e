"""What can be said of one endpoint against another, and how sure one can be."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, plain, queries, tables
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.marks import Marks
from harness.types import JsonObject


def comparisons_table(comparisons: list[JsonObject], marks: Marks) -> None:
    """What can be said against the baseline, with how sure one can be."""
    st.subheader("Against the baseline", anchor=False)
    st.caption(f"The baseline is {plain.code(comparisons[0]['baseline'])}; compared on what both answered.")
    columns = [
        Column("metric"),
        Column("endpoint"),
        number("difference", "Points of the mean score; for TTFT the median of the ratios, under 1 is faster"),
        number("95 % interval", "Newcombe for right and wrong, else Student; order statistics for the ratio"),
        number("n", "Questions or prompts that both answered"),
        number("flips", "Questions on which this endpoint scored more, and less, than the baseline"),
        number("could have seen", "Smallest true difference that n questions would show four times in five"),
        Column("verdict", meaning="unclear where the interval holds 0 or the adjusted p is above 0.05"),
    ]
    rows = [
        (
            words.metric(row),
            Cell(row["endpoint"], marks[row["endpoint"]]),
            words.value(row),
            words.bounds(row),
            str(row["n"]),
            words.flips(row),
            words.could_have_seen(row),
            words.judgement(row),
        )
        for row in comparisons
    ]
    tables.show("Comparison to the baseline", columns, rows)


def show(summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if summary["comparisons"]:
        comparisons_table(summary["comparisons"], marks)
    else:
        st.info("Nothing to compare: it takes two endpoints that were asked the same.")


chosen = choice.begin("Compare")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)), queries.marks(chosen.version))
foot(chosen.version.results, chosen.run, {"attempts with their metrics": "attempt_metrics"})
