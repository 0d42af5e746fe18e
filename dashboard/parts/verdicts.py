"""The answer in a few sentences, a card for each measure, and how the score comes about."""

from __future__ import annotations

import streamlit as st

from dashboard import tables
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.decision import told
from harness.report.decision.cards_html import STYLE, answer_html, as_html
from harness.report.decision.told import points, titles
from harness.report.decision.weighing import Weighed
from harness.report.decision.whole import Decision, Recorded, Wishes
from harness.types import JsonObject


def show(summary: JsonObject, found: Recorded, decision: Decision, wishes: Wishes, marks: Marks) -> None:
    """What to read aloud, and what it rests on."""
    st.html(STYLE + answer_html(told.answer(summary, found, decision, wishes)))
    st.html(STYLE + as_html(told.cards(summary, found, decision, wishes), marks))
    st.caption(
        "Tied with: not told apart by the difference of the two, on what both answered where they were compared, "
        "adjusted for all pairs. In brackets: 95 % intervals."
    )
    if decision.weighed.order is not None:
        with st.expander("How the score comes about"):
            _scores(decision.weighed, marks)


def _scores(of: Weighed, marks: Marks) -> None:
    assert of.order is not None
    columns = [
        Column("endpoint"),
        number("score of 100", "By your weights [95 % interval]"),
        number("rank", "Ranks that cannot be ruled out"),
        Column("not known", "Counted half, and in the interval from worst to best"),
    ]
    rows = [
        (
            Cell(name, marks[name]),
            points(score),
            words.rank({"rank": of.order.ranks[name]._asdict() | {"of": len(of.scores)}}),
            titles(of.unknown.get(name, ())) or words.NOTHING,
        )
        for name, score in of.scores.items()
    ]
    tables.show("Scores", columns, rows)
    weighed = ", ".join(f"{titles([name])} {100 * share:.0f} %" for name, share in of.weights.items())
    dropped = f" Nobody was measured by {titles(of.dropped)}." if of.dropped else ""
    st.caption(
        f"Weighed: {weighed}.{dropped} Shares count as they are, errors as what is left, a time or cost as the best "
        "over it, throughput as its share of the best. Measures are taken as independent of each other."
    )
