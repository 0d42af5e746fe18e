"""Each task on each endpoint: how well it was answered, what a right answer cost, and where answers differ."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, picking, plain, quality_queries, queries, question_answers, question_list, tables
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.intervals import task_scores
from harness.report.charts.marks import Marks
from harness.report.comparison import flips
from harness.report.summary import spending
from harness.types import JsonObject


def scores_table(tasks: list[JsonObject], names: list[str]) -> None:
    """Tasks as rows and endpoints as columns."""
    st.subheader("Scores", anchor=False)
    cells = {(row["task"], row["endpoint"]): row for row in tasks}
    meaning = "Mean score of what was scored [95 % interval] n questions; under 95 % coverage its bounds"
    columns = [Column("task"), *(number(name, meaning) for name in names)]
    rows = [
        (task, *(words.score(cells.get((task, name))) for name in names))
        for task in dict.fromkeys(row["task"] for row in tasks)
    ]
    tables.show("Scores of each task on each endpoint", columns, rows)
    if any(row["mean"] is None and row["n_asked"] for row in tasks):
        st.caption(words.TOO_LITTLE)


def coverage_table(tasks: list[JsonObject], marks: Marks) -> None:
    """What came of everything that was to be asked."""
    st.subheader("What the scores rest on", anchor=False)
    columns = [
        Column("task"),
        Column("endpoint"),
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
            words.percent(row["mean_of_asked"]),
            f"{row['n_scored']} of {row['n_planned']}",
            words.counted(row["failed"]),
            words.counted(words.unjudged(row)),
            str(row["n_not_asked"] or words.NOTHING),
        )
        for row in tasks
    ]
    tables.show("What the scores rest on", columns, rows)


def costs_table(found: list[JsonObject], marks: Marks) -> None:
    """What each task cost, and what a right answer did."""
    st.subheader("Cost of a right answer", anchor=False)
    if not any(row["total_usd"] is not None for row in found):
        st.text("No cost is known: usage was not stated, or there is no price. Prices are set in providers.yaml.")
        return
    columns = [
        Column("task"),
        Column("endpoint"),
        Column("paid by", meaning="hours of a server, as the server reported, or prices of tokens"),
        number("USD", "All attempts, retries and failures too"),
        number("USD an item"),
        number("USD a right answer", "[95 % interval] over items; all that was spent, by answers with a score of 1"),
        number("right", "Of scored"),
        number("USD a million chars", "Text sent and received; tokenizers differ, characters do not"),
    ]
    rows = [
        (
            row["task"],
            Cell(row["endpoint"], marks[row["endpoint"]]),
            row["basis"] or words.NOTHING,
            words.cost(row["total_usd"]),
            words.cost(row["usd_per_item"]),
            spending.per_right(row),
            f"{row['right_n']} of {row['scored_n']}",
            words.cost(row["usd_per_mchar"]),
        )
        for row in found
    ]
    tables.show("Cost of a right answer", columns, rows)


def choose_task(tasks: list[JsonObject]) -> str:
    """The task whose questions are shown."""
    names: list[str] = list(dict.fromkeys(row["task"] for row in tasks))
    picking.stale("task", names, "task of this run")
    chosen = st.selectbox("Task", names, key="task", bind="query-params")
    return chosen if chosen in names else names[0]


def task_part(version: queries.Version, run: str, summary: JsonObject, marks: Marks) -> None:
    """One task: its scores as a chart, its flips, its questions, and one of them whole."""
    st.subheader("One task", anchor=False)
    task = choose_task(summary["tasks"])
    own = [row for row in summary["tasks"] if row["task"] == task]
    names = [row["endpoint"] for row in own]
    alt = f"Scores of {task} with their intervals; the numbers are in the table of scores"
    draw(task_scores(own, marks), key="scores", alt=alt, otherwise="nothing of this task was scored.")
    baseline = question_list.choose_baseline(version, run, task, names)
    found = quality_queries.questions(version, run, task, (baseline.run, baseline.endpoint))
    question_list.flips_table(found, baseline, run, flips.of_task(summary, task), marks)
    for line in words.rules(summary):
        st.caption(plain.message(line))
    shown = picking.endpoints(names)
    sample = question_list.choose_question(found, run, shown, baseline)
    if sample is not None:
        question_answers.show(version, run, task, sample, shown)


def show(version: queries.Version, run: str, summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if not summary["tasks"]:
        st.info("This run has no task. Ask some with `harness eval gsm8k -e PROVIDER/MODEL`")
        return
    scores_table(summary["tasks"], [row["endpoint"] for row in summary["endpoints"]])
    costs_table(summary["spending"], marks)
    task_part(version, run, summary, marks)
    coverage_table(summary["tasks"], marks)


chosen = choice.begin("Quality")
show(
    chosen.version,
    chosen.run,
    queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)),
    queries.marks(chosen.version),
)
foot(chosen.version.results, chosen.run, {"tasks": "quality_summary", "costs": "cost_summary", "scores": "scores"})
