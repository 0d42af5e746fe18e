"""What the pages ask: the same views and the same summary as the report, never a second definition of a number.

Each question opens the published database, reads and closes it, so no page ever stands in a publisher's way. Answers
are kept by what is asked and by the database's version: an argument whose name began with an underscore would not be
part of the key.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd
import streamlit as st

from dashboard import plain
from harness.errors import HarnessError
from harness.report.decision import whole
from harness.report.decision.routing import Routed
from harness.report.decision.whole import Recorded
from harness.report.summary.figures import summarise
from harness.store.query import database_path, frame, held, rows
from harness.types import JsonObject, Slo

Answer = TypeVar("Answer")


class Version(NamedTuple):
    """Which published database an answer is of; a cached answer of another one is not used."""

    results: str
    """Folder of the results."""
    inode: int
    modified_ns: int


def version() -> Version:
    """The database that is there now, in the folder given to ``harness dashboard``; zeros: there is none.

    Within ``one_database`` the one that was there when the page began.
    """
    if (begun := _BEGUN.get()) is not None:
        return begun
    results = sys.argv[1] if len(sys.argv) > 1 else "results"
    try:
        found = database_path(Path(results)).stat()
    except OSError:
        return Version(results, 0, 0)
    return Version(results, found.st_ino, found.st_mtime_ns)


_BEGUN: ContextVar[Version | None] = ContextVar("_BEGUN", default=None)


@contextmanager
def one_database() -> Iterator[None]:
    """Keep the database open for a whole page: all questions are answered by one. Nothing where there is none.

    Its version is looked at before it is opened. Answers of a newer one are then kept under an older version's key,
    and asked again for the next page; the other way round they would be stale until the next run.
    """
    begun = version()
    token = _BEGUN.set(begun)
    try:
        with ExitStack() as stack:
            with suppress(HarnessError):
                stack.enter_context(held(Path(begun.results)))
            yield
    finally:
        _BEGUN.reset(token)


def or_stop(ask: Callable[[], Answer]) -> Answer:
    """The answer, or the page's end with the one line that says what is wrong and which command mends it."""
    try:
        return ask()
    except HarnessError as error:
        st.info(plain.message(str(error)))
        st.stop()


@st.cache_data(show_spinner=False, max_entries=8)
def runs(of: Version) -> pd.DataFrame:
    """Every run, newest first."""
    query = """
        with counted as (
            select run_id, count(*) as attempts,
                count(*) filter (where failure_kind is not null and kind <> 'probe') / count(*) as failed_share
            from attempts where failure_kind is distinct from 'unneeded' group by run_id
        ), named as (
            select run_id, string_agg(endpoint, ', ' order by position) as endpoints from endpoints group by run_id
        )
        select run_id, suite, status, created_at, planned, coalesce(attempts, 0) as attempts, failed_share, endpoints,
            clock_kernel_share, lag_p99_ms, sealed, problem
        from runs left join run_health using (run_id) left join counted using (run_id) left join named using (run_id)
        order by created_at desc nulls last, run_id desc
    """
    return frame(Path(of.results), query)


@st.cache_data(show_spinner=False, max_entries=4)
def finished(of: Version) -> frozenset[str]:
    """The runs that are finished, and so never under way again."""
    query = "select run_id from runs where status = 'finished'"
    return frozenset(row["run_id"] for row in rows(Path(of.results), query))


@st.cache_data(show_spinner=False, max_entries=4)
def marks(of: Version) -> dict[str, int]:
    """The number of every endpoint that gives it its colour and shape everywhere; one that no manifest names has 0."""
    return defaultdict(int, {row["endpoint"]: row["mark"] for row in rows(Path(of.results), "from endpoint_marks")})


@st.cache_data(show_spinner=False, max_entries=16)
def summary(of: Version, run: str) -> JsonObject:
    """A run in numbers, as the report has it."""
    with held(Path(of.results)):
        return summarise(Path(of.results), run)


class Attempts(NamedTuple):
    """Some attempts of a run."""

    rows: pd.DataFrame
    """Of those that are asked for, the first ``MOST``."""
    n: int
    """Those that are asked for."""
    of: int
    """All of the run."""


MOST = 2000
"""Attempts that a table holds; a browser bears no more of them with ease."""
WHICH = {
    "all": "true",
    "failed": "m.failure_kind is not null and m.kind <> 'probe'",
    "wrong": "s.value < 1",
    "probes": "m.kind = 'probe'",
}
ORDERS = {
    "as sent": "m.started_at, m.job_id, m.number",
    "slowest first": "m.e2e_ms desc nulls last, m.job_id, m.number",
    "slowest first token": "m.ttft_ms desc nulls last, m.job_id, m.number",
}


@st.cache_data(show_spinner=False, max_entries=16)
def recorded(of: Version, run: str, load: str | None, limits: Slo) -> Recorded:
    """What a decision rests on, for limits that were chosen."""
    return whole.recorded(Path(of.results), summary(of, run), load, limits)


@st.cache_data(show_spinner=False, max_entries=16)
def routings(of: Version, run: str, load: str, chosen: tuple[str, str], limits: Slo, level: str) -> list[Routed]:
    """Two endpoints alone and together, on the prompts that both were asked."""
    return whole.routings(Path(of.results), summary(of, run), load, chosen, limits, level)


@st.cache_data(show_spinner=False, max_entries=16)
def attempts(of: Version, run: str, which: str, order: str, endpoint: str | None, stage: str | None) -> Attempts:
    """Attempts of a run with their metrics; a session's score stands at its first."""
    query = f"""
        select m.endpoint, m.kind, m.stage, m.sample, m.repeat, m.number, m.phase, m.failure_kind, s.value as score,
            m.ttft_ms, m.e2e_ms, m.tpot_ms, m.prompt_tokens, m.output_tokens, m.cost_usd, m.started_at, m.job_id,
            count(*) over () as n
        from attempt_metrics m
        left join scores s on s.run_id = m.run_id and s.job_id = m.job_id and m.last_attempt and m.ok
        where m.run_id = $run and m.failure_kind is distinct from 'unneeded' and ({WHICH[which]})
            and ($endpoint is null or m.endpoint = $endpoint) and ($stage is null or m.stage = $stage)
        order by {ORDERS[order]} limit {MOST}
    """  # noqa: S608 - our own words
    found = frame(Path(of.results), query, {"run": run, "endpoint": endpoint, "stage": stage})
    every = "select count(*) as n from attempts where run_id = ? and failure_kind is distinct from 'unneeded'"
    n = int(found["n"].iloc[0]) if len(found) else 0
    return Attempts(found.drop(columns="n"), n, rows(Path(of.results), every, [run])[0]["n"])


@st.cache_data(show_spinner=False, max_entries=16)
def places(of: Version, run: str) -> tuple[list[str], list[str]]:
    """The endpoints and the stages of a run."""
    query = "select distinct endpoint, stage from attempts where run_id = ? order by all"
    found = rows(Path(of.results), query, [run])
    return sorted({row["endpoint"] for row in found}), sorted({row["stage"] for row in found})


@st.cache_data(show_spinner=False, max_entries=16)
def one(of: Version, run: str, job: str, number: int) -> JsonObject | None:
    """Everything recorded of one attempt; ``verdicts`` are those that rest on it. None: it is not there."""
    query = """
        select a.*, m.ttft_ms, m.e2e_ms, m.tpot_ms, m.wait_ms, m.lag_max_ms, m.output_tokens_per_s,
            t.request_body, t.response_body, t.response_headers_json, t.text, t.reasoning, t.tool_calls_json,
            s.value as score, s.answer, s.explanation, s.scorer, s.version as scorer_version
        from attempts a
        join attempt_metrics m using (run_id, job_id, number, shard, session)
        left join texts t using (run_id, job_id, number)
        left join scores s on s.run_id = a.run_id and s.job_id = a.job_id and m.last_attempt and m.ok
        where a.run_id = ? and a.job_id = ? and a.number = ?
        order by a.shard desc, a.session desc limit 1
    """
    verdicts = """
        select probe, verdict, severity, title, reason, expected, actual from verdicts
        where run_id = ? and list_contains(evidence, ?) order by probe
    """
    found = rows(Path(of.results), query, [run, job, number])
    return {**found[0], "verdicts": rows(Path(of.results), verdicts, [run, job])} if found else None


def base_url(of: Version, run: str, endpoint: str) -> str | None:
    """Where an endpoint was asked in a run. None: its server was started for the run, or it is not known."""
    query = "select base_url, engine from endpoints where run_id = ? and endpoint = ?"
    found = rows(Path(of.results), query, [run, endpoint])
    return found[0]["base_url"] if found and found[0]["engine"] is None else None
