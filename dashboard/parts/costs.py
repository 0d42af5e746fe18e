"""What a month costs each endpoint's user, and when a server of one's own pays."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import tables
from dashboard.drawing import draw
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.decided import bills
from harness.report.charts.marks import Marks
from harness.report.decision.monthly import BreakEven, Monthly
from harness.report.decision.tokens import Scale
from harness.report.decision.told import amount, three
from harness.report.decision.whole import Decision, Wishes


def show(decision: Decision, wishes: Wishes, marks: Marks) -> None:
    """The bills, how they grow, and the break-even volumes."""
    st.subheader("What a month costs", anchor=False)
    _bills(decision, marks)
    of = wishes.volumes
    cached = f", {100 * of.cached_share:.0f} % of them cached," if of.cached_share else ""
    st.caption(
        f"{of.requests_per_day:,.0f} requests a day of {of.input_tokens:,.0f} tokens in{cached} and "
        f"{of.output_tokens:,.0f} out, on 30.4 days. Prices are those stored with the run. In brackets: 95 % intervals "
        "of the tokens that the same requests take; ? where they are not known and were taken as given."
    )
    draw(
        bills(decision, wishes, marks),
        key="bills",
        alt="USD a month of each endpoint against requests a day; the bills at your volume are in the table above",
        otherwise="it takes prices, or the price of an hour of a server.",
    )
    if decision.break_evens:
        _break_evens(decision.break_evens, marks)


def _bills(decision: Decision, marks: Marks) -> None:
    columns = [
        Column("endpoint"),
        number("USD a month", "At your volumes [95 % interval]"),
        number("USD per 1,000 requests", "Of endpoints that are paid by the token"),
        number("input tokens", "For each one of the baseline, over the same requests [95 % interval] n"),
        number("output tokens", "The same of answers"),
        number("servers", "Of one's own, to hold the busiest time inside your limits"),
        Column("remark"),
    ]
    rows = [
        (
            Cell(name, marks[name]),
            "unknown" if bill.usd is None else amount(bill.usd),
            words.NOTHING if bill.per_request is None else amount(bill.per_request.times(1000)),
            *_scale(decision.scales[name]),
            _servers(bill),
            _remark(decision, name, bill),
        )
        for name, bill in decision.bills.items()
    ]
    tables.show("What a month costs", columns, rows)


def _scale(of: Scale) -> tuple[str, str]:
    if of.n is None:
        return "1", "1"
    if not of.measured:
        return "taken as 1", "taken as 1"
    return amount(of.input), f"{amount(of.output)} n={of.n}"


def _servers(bill: Monthly) -> str:
    if bill.servers is None:
        return words.NOTHING
    of = bill.servers
    if of.low == of.n == of.high:
        return f"{of.n:,}"
    return f"{of.n:,} [{three(of.low)}–{three(of.high)}]"


def _remark(decision: Decision, name: str, bill: Monthly) -> str:
    if bill.why:
        return bill.why
    if bill.servers is not None:
        holds = decision.capacities.get(name)
        level = holds.stage.rpartition("@")[2] if holds else ""
        return f"one holds {amount(bill.servers.full_at)} requests a day, as seen at {level}"
    return "" if decision.scales[name].measured else "states no tokens for the same requests: yours are taken as given"


def _break_evens(found: Sequence[BreakEven], marks: Marks) -> None:
    columns = [
        Column("own server"),
        Column("against"),
        number("cheaper from, requests a day", "Where one server costs what the vendor takes [95 % interval]"),
        number("one is full at", "Requests a day above which a second one is needed"),
        Column("remark"),
    ]
    rows = [
        (
            Cell(one.own, marks[one.own]),
            Cell(one.vendor, marks[one.vendor]),
            words.NOTHING if one.requests_per_day is None else amount(one.requests_per_day),
            words.NOTHING if one.until is None else three(one.until),
            one.why,
        )
        for one in found
    ]
    tables.show("Break-even volumes", columns, rows)
    st.caption(
        "Servers are paid for every hour of the month and come whole; more of them are taken to give as much each as "
        "the one that was measured."
    )
