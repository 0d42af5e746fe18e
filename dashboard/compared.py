"""What the page Compare asks: the figures of ``harness compare``, and what lies behind them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness.report.comparison import before, config_diff, distributions
from harness.report.comparison import figures as against
from harness.report.comparison.baseline import pairs_with
from harness.report.comparison.sides import Side
from harness.store.query import held, rows
from harness.types import JsonObject


@st.cache_data(show_spinner=False, max_entries=32)
def run_before(of: Version, run: str) -> str | None:
    """The run before of the same suite; None: there is none."""
    return before.run_before(Path(of.results), run)


@st.cache_data(show_spinner=False, max_entries=32)
def endpoints(of: Version, run: str) -> list[str]:
    """The endpoints of a run, its first one first."""
    query = "select endpoint from endpoints where run_id = ? order by position"
    return [row["endpoint"] for row in rows(Path(of.results), query, [run])]


@st.cache_data(show_spinner="Comparing", max_entries=16)
def compared(
    of: Version, run: str, other: str | None, baseline: str | None, shown: tuple[str, ...], alike: float
) -> JsonObject:
    """Every shown endpoint of a run against its baseline; ``alike`` is in percent, 0: any difference matters."""
    pairs = _pairs(of, run, other, baseline, shown)
    with held(Path(of.results)):
        return against.compared(Path(of.results), pairs, against.Alike.within(alike))


@st.cache_data(show_spinner=False, max_entries=32)
def spread(
    of: Version, run: str, other: str | None, baseline: str | None, endpoint: str, stage: str, time: str
) -> JsonObject | None:
    """How a time of one stage is spread on both sides; None: it is not compared."""
    ((a, b),) = _pairs(of, run, other, baseline, (endpoint,))
    with held(Path(of.results)):
        return distributions.distributions(Path(of.results), a, b, stage, time)


@st.cache_data(show_spinner=False, max_entries=32)
def configured(
    of: Version, run: str, other: str | None, baseline: str | None, endpoint: str
) -> tuple[list[config_diff.Difference], int]:
    """What the two sides have otherwise by their manifests, and how many values are alike."""
    ((a, b),) = _pairs(of, run, other, baseline, (endpoint,))
    return config_diff.differences(a, b)


def _pairs(
    of: Version, run: str, other: str | None, baseline: str | None, shown: tuple[str, ...]
) -> list[tuple[Side, Side]]:
    return [pair for pair in pairs_with(Path(of.results), run, other, baseline) if pair[1].endpoint in shown]
