"""What the page Load asks: the load report, its requests by their times, and what happened when."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness.record.folder import open_run
from harness.report.decision import attainment
from harness.report.load.judged import judged_load
from harness.report.load.over_time import over_time
from harness.store.query import held, rows
from harness.types import JsonObject, Slo


@st.cache_data(show_spinner=False, max_entries=16)
def report(of: Version, run: str) -> JsonObject | None:
    """The load report of a run, judged; None: it had no load."""
    results = Path(of.results)
    if not rows(results, "from loads where run_id = ? limit 1", [run]):
        return None
    with held(results):
        return judged_load(results, open_run(results, run))


@st.cache_data(show_spinner=False, max_entries=64)
def attained(of: Version, run: str, load: str, limits: Slo) -> dict[str, dict[str, attainment.Attained]] | None:
    """How many requests of each endpoint and level kept other objectives; None: there are none."""
    return None if limits == Slo() else attainment.attained(Path(of.results), run, load, limits)


@st.cache_data(show_spinner=False, max_entries=32)
def moments(of: Version, run: str, endpoint: str) -> JsonObject | None:
    """Client and server on one axis of time; None: the endpoint had no load."""
    with held(Path(of.results)):
        return over_time(Path(of.results), run, endpoint)


@st.cache_data(show_spinner=False, max_entries=32)
def objectives(of: Version, run: str) -> JsonObject:
    """The objectives that each load of a run was put on with, in ms, by task; None: no such objective."""
    query = """
        select task, any_value(slo_ttft_ms) as ttft, any_value(slo_tpot_ms) as tpot, any_value(slo_e2e_ms) as e2e
        from loads where run_id = ? group by task
    """
    return {row.pop("task"): row for row in rows(Path(of.results), query, [run])}
