"""What the pages ask: the same views and the same summary as the report, never a second definition of a number."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd
import streamlit as st

from harness.errors import HarnessError
from harness.report.summary import summarise
from harness.store.query import database_path, frame
from harness.types import JsonObject

Answer = TypeVar("Answer")


def results() -> Path:
    """Folder of the results, as given to ``harness dashboard``."""
    return Path(sys.argv[1] if len(sys.argv) > 1 else "results")


def version() -> tuple[int, int]:
    """Which published database is there; a cached answer of another one is not used."""
    try:
        found = database_path(results()).stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def or_stop(ask: Callable[[], Answer]) -> Answer:
    """The answer, or the page's end with the one line that says what is wrong and which command mends it."""
    try:
        return ask()
    except HarnessError as error:
        st.info(str(error), icon=":material/info:")
        st.stop()


@st.cache_data(show_spinner=False, max_entries=64)
def runs(_version: tuple[int, int]) -> pd.DataFrame:
    """Every run, newest first."""
    query = (
        "select r.run_id, r.suite, r.status, r.created_at, r.planned, "
        "(select count(*) from attempts a where a.run_id = r.run_id) as attempts, "
        "(select list(e.endpoint order by e.position) from endpoints e where e.run_id = r.run_id) as endpoints, "
        "h.clock_kernel_share, h.lag_p99_ms, r.problem "
        "from runs r left join run_health h using (run_id) order by r.created_at desc nulls last"
    )
    return frame(results(), query)


@st.cache_data(show_spinner=False, max_entries=64)
def summary(_version: tuple[int, int], run: str) -> JsonObject:
    """A run in numbers, as the report has it."""
    return summarise(results(), run)


@st.cache_data(show_spinner=False, max_entries=64)
def attempts(_version: tuple[int, int], run: str) -> pd.DataFrame:
    """The attempts of a run with their metrics, in the order of sending."""
    query = (
        "select m.endpoint, m.stage, m.sample, m.number, m.phase, m.failure_kind, m.ttft_ms, m.e2e_ms, m.tpot_ms, "
        "m.prompt_tokens, m.output_tokens, m.cost_usd, s.value as score, m.job_id "
        "from attempt_metrics m left join scores s on s.run_id = m.run_id and s.job_id = m.job_id and m.last_attempt "
        "join attempts a on a.run_id = m.run_id and a.job_id = m.job_id and a.number = m.number "
        "where m.run_id = ? order by a.started_at"
    )
    return frame(results(), query, [run])


@st.cache_data(show_spinner=False, max_entries=64)
def one(_version: tuple[int, int], run: str, job: str, number: int) -> JsonObject:
    """Everything recorded of one attempt."""
    query = (
        "select a.*, t.request_body, t.response_body, t.text, t.tool_calls_json, s.explanation, s.answer, s.value "
        "from attempts a join texts t using (run_id, job_id, number) left join scores s using (run_id, job_id) "
        "where run_id = ? and job_id = ? and a.number = ?"
    )
    found = frame(results(), query, [run, job, number])
    return dict(found.iloc[0]) if len(found) else {}
