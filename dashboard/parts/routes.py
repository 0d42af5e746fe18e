"""What two endpoints together would have given on the recorded prompts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import tables
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.decision.routing import Routed
from harness.report.decision.told import amount, limits, share
from harness.report.decision.whole import TOGETHER, Wishes
from harness.stats.mover import Estimate


def show(found: Sequence[Routed], chosen: tuple[str, str] | None, wishes: Wishes, marks: Marks) -> None:
    """The two alone, and the two together."""
    st.subheader("What if the cheapest were asked first", anchor=False)
    if chosen is None or not found:
        st.info("Nothing to put together: it takes a load that two endpoints were asked the same prompts of.")
        return
    first, second = chosen
    waits = wishes.limits.ttft_ms
    late = "" if waits is None else f", or has no first token within {waits:g} ms,"
    st.text(words.plain(f"{first} is asked first; where it fails{late} {second} is asked from that moment on."))
    columns = [
        Column("way"),
        number("inside", f"Share inside {limits(wishes.limits)} [95 % interval]"),
        number("failed", "Share without an answer at the end [95 % interval]"),
        number("to the second", "Share that the second endpoint was asked [95 % interval]"),
        number(
            "TTFT p50, ms", "Of answers, since the planned arrival, waits for the first endpoint too [95 % interval]"
        ),
        number("TTFT p95, ms", "The same; ? where n is too small for that bound"),
        number("USD per 1,000", "As recorded: an answer that was given up is paid for too; not your volumes"),
        number("prompts"),
    ]
    rows = [
        (
            one.name if one.name == TOGETHER else Cell(one.name, marks[one.name]),
            share(one.inside),
            share(one.failed),
            words.NOTHING if one.moved is None else share(one.moved),
            _ms(one.first_p50_ms),
            _ms(one.first_p95_ms),
            "unknown" if one.usd_per_1000 is None else amount(one.usd_per_1000),
            str(one.n),
        )
        for one in found
    ]
    tables.show("Routing", columns, rows)
    st.caption(
        "Nothing was sent for this: recorded outcomes of the same prompts are put together, intervals by resampling "
        "prompts. It assumes that each endpoint answers as it did, however much of the load moves, and that both fail "
        "together as often as they did here, side by side. First comes the cheapest that keeps your share inside, by "
        "its estimate; where none with a known cost does, the one with most inside."
    )


def _ms(of: Estimate | None) -> str:
    return words.NOTHING if of is None else words.spread(of.value, (of.low, of.high))
