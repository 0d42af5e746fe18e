"""What share of requests was inside the limits, by endpoint and level."""

from __future__ import annotations

import streamlit as st

from dashboard import plain, tables
from dashboard.drawing import draw
from dashboard.tables import Cell, Column, number
from harness.report.charts.decided import inside
from harness.report.charts.levels import level_name
from harness.report.charts.marks import Marks
from harness.report.decision.apart import Order
from harness.report.decision.attainment import ALL, Attained
from harness.report.decision.told import share
from harness.report.decision.whole import Decision, Recorded, Wishes


def show(found: Recorded, decision: Decision, wishes: Wishes, marks: Marks) -> None:
    """The bars of the level that is looked at, and the table with each of them."""
    st.subheader("How many requests are inside your limits", anchor=False)
    figure = inside(decision, wishes, marks)
    draw(
        figure,
        key="inside",
        alt="Share of requests inside the limits of each endpoint, with intervals; the numbers are in the table below",
        otherwise="it takes a load.",
    )
    if figure is None:
        return
    _table(found, decision, marks)
    spared = sum(one.na for one in decision.shares.values())
    if spared:
        st.caption(f"{spared} answers that none of the limits applies to are in no share.")
    st.caption(
        f"Over {_where(wishes.level)} of {plain.code(str(found.load))}. A failed request is outside; times are since "
        "the planned arrival; a limit that does not apply to an answer (time per token of one token) does not judge "
        "it. Intervals are Wilson's, wider where requests that followed each other were alike. The dashed line is the "
        "share that you ask of a server. Told apart: by the difference of the two, adjusted for all pairs."
    )


def _table(found: Recorded, decision: Decision, marks: Marks) -> None:
    assert decision.inside is not None
    levels = list(dict.fromkeys(stage for own in found.attained.values() for stage in own if stage != ALL))
    columns = [
        Column("endpoint"),
        number("inside", "At the level that you look at [95 % interval] n"),
        Column("against the best"),
        number("failed"),
        number("slow: TTFT", "Answered, and beyond your limit; one request may be beyond several"),
        number("slow: TPOT"),
        number("slow: E2E"),
        *(number(level_name(stage), "The same at this level") for stage in levels),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(name, marks[name]),
            _inside(decision.shares[name]),
            standing(decision.inside, name),
            *_reasons(decision.shares[name]),
            *(_inside(found.attained[name].get(stage)) for stage in levels),
        ]
        for name in decision.inside.ranks
    ]
    tables.show("Inside the limits", columns, rows)


def _where(level: str) -> str:
    return "all levels" if level == ALL else f"level {plain.code(level_name(level))}"


def _reasons(of: Attained) -> list[str]:
    return [str(count) for count in (of.failed, of.slow_ttft, of.slow_tpot, of.slow_e2e)]


def _inside(of: Attained | None) -> str:
    return share(None) if of is None or of.share is None else f"{share(of.share)} n={of.n}"


def standing(of: Order, name: str) -> str:
    """Of one endpoint against the best."""
    return "the best" if name == of.best else "tied" if name in of.tied else "worse"
