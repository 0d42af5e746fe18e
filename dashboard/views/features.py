"""Which features work as documented, and the request that proves it where one does not."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, queries, tables
from dashboard.foot import foot
from dashboard.tables import Cell, Column
from harness.report import words
from harness.report.charts.marks import Marks
from harness.types import JsonObject


def features_table(features: list[JsonObject], marks: Marks) -> None:
    """What does not work as documented."""
    st.subheader("Features not fully supported", anchor=False)
    if not features:
        st.text("None: every feature that was probed works.")
        return
    columns = [Column("probe"), Column("endpoint"), Column("verdict"), Column("severity"), Column("why")]
    rows = [
        (
            row["probe"],
            Cell(row["endpoint"], marks[row["endpoint"]]),
            row["verdict"],
            row["severity"],
            row["reason"] or words.NOTHING,
        )
        for row in features
    ]
    tables.show("Features not fully supported", columns, rows)


def show(summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if any(row.get("features_judged") for row in summary["endpoints"]):
        features_table(summary["features"], marks)
    else:
        st.info("This run has no probes. Make some with `harness probe -e PROVIDER/MODEL`")


chosen = choice.begin("Features")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)), queries.marks(chosen.version))
foot(chosen.version.results, chosen.run, {"verdicts": "feature_matrix"})
