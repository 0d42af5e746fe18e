"""Each task on each endpoint: how well it was answered, and where answers differ."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, queries, tables
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.marks import Marks
from harness.types import JsonObject


def tasks_table(tasks: list[JsonObject], marks: Marks) -> None:
    """Each task on its own."""
    st.subheader("Tasks", anchor=False)
    columns = [
        Column("task"),
        Column("endpoint"),
        number("score", "Mean score of what was scored [95 % interval] n questions; under 95 % coverage its bounds"),
        number("of asked", "Mean score where what failed or cannot be judged counts as wrong"),
        number("scored", "Of those planned"),
        number("failed", "Requests that failed for good, by kind; they are no wrong answers"),
        number("invalid", "Answers that cannot be judged, by fault"),
        number("not asked", "Planned and not sent"),
    ]
    rows = [
        (
            row["task"],
            Cell(row["endpoint"], marks[row["endpoint"]]),
            words.score(row),
            words.percent(row["mean_of_asked"]),
            f"{row['n_scored']} of {row['n_planned']}",
            words.counted(row["failed"]),
            words.counted(words.unjudged(row)),
            str(row["n_not_asked"] or words.NOTHING),
        )
        for row in tasks
    ]
    tables.show("Tasks", columns, rows)


def show(summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if summary["tasks"]:
        tasks_table(summary["tasks"], marks)
    else:
        st.info("This run has no task. Ask some with `harness eval gsm8k -e PROVIDER/MODEL`")


chosen = choice.begin("Quality")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)), queries.marks(chosen.version))
foot(chosen.version.results, chosen.run, {"tasks": "quality_summary", "scores": "scores"})
