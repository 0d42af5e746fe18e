"""What page Quality asks beyond the summary: the questions of a task, and one of them whole."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness.report import question
from harness.report.comparison import flips
from harness.store.query import rows
from harness.types import JsonObject


@st.cache_data(show_spinner=False, max_entries=16)
def asked_in(of: Version, task: str) -> dict[str, list[str]]:
    """The runs that asked a task, newest first, each with the endpoints that answered."""
    query = """
        select r.run_id, list(distinct e.endpoint order by e.endpoint) as endpoints
        from tasks t join runs r using (run_id) join endpoints e using (run_id)
        where t.task = ? and r.sealed
        group by r.run_id, r.created_at order by r.created_at desc nulls last, r.run_id desc
    """
    return {row["run_id"]: row["endpoints"] for row in rows(Path(of.results), query, [task])}


@st.cache_data(show_spinner=False, max_entries=8)
def questions(of: Version, run: str, task: str, baseline: tuple[str, str]) -> list[flips.Question]:
    """The questions of a task in a run, beside a baseline (run, endpoint)."""
    return flips.questions(Path(of.results), run, task, baseline)


@st.cache_data(show_spinner=False, max_entries=32)
def answers(of: Version, run: str, task: str, sample: str, names: tuple[str, ...]) -> list[JsonObject]:
    """What each endpoint made of one question."""
    return question.answers(Path(of.results), run, task, sample, names)
