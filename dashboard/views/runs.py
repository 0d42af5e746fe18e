"""Every run, those under way too, and every request of one."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboard import attempt, choice, plain, queries
from dashboard.foot import foot
from dashboard.watching import watching
from harness.report import words
from harness.types import JsonObject

SHOWN = {
    "all": "every attempt",
    "failed": "failed ones, but for probes, which provoke failures",
    "wrong": "scored under 1",
    "probes": "requests of probes",
}


def runs_table(runs: pd.DataFrame) -> None:
    """The list of runs."""
    figures = st.column_config.NumberColumn
    known: list[JsonObject] = json.loads(runs.to_json(orient="records", date_format="iso"))  # NULL is None there
    shown = runs.assign(flags=[words.flags(row) for row in known])
    hidden = {"sealed", "failed_share", "clock_kernel_share"}
    if runs["problem"].isna().all():
        hidden.add("problem")
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=words.NOTHING,
        height=min(36 * (len(runs) + 1) + 2, 250),
        column_order=[name for name in ("run_id", "flags", *runs.columns[1:]) if name not in hidden],
        column_config={
            "run_id": st.column_config.TextColumn("run", width=260),
            "flags": st.column_config.TextColumn("flags", help="What makes its numbers less sure"),
            "created_at": st.column_config.DatetimeColumn("started, UTC", format="YYYY-MM-DD HH:mm:ss"),
            "planned": figures("planned", help="Planned requests"),
            "attempts": figures("attempts", help="Attempts recorded, retries too"),
            "lag_p99_ms": figures("client lag p99, ms", format="%.1f", help="How late this client read packets"),
        },
        alt="List of runs",
    )


def filters(run: str, of: queries.Version) -> queries.Attempts:
    """The reader's choice of attempts, kept in the address."""
    shown, order, endpoint, stage = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in SHOWN.items())
    which = shown.segmented_control(
        "Show", list(SHOWN), default="all", key="show", required=True, bind="query-params", help=meanings
    )
    by = order.selectbox("Order", list(queries.ORDERS), key="order", bind="query-params")
    names, stages = queries.places(of, run)
    only = endpoint.selectbox("Endpoint", names, index=None, key="endpoint", placeholder="all", bind="query-params")
    at = stage.selectbox("Stage", stages, index=None, key="stage", placeholder="all", bind="query-params")
    return queries.attempts(
        of,
        run,
        which if which in queries.WHICH else "all",
        by if by in queries.ORDERS else "as sent",
        only if only in names else None,
        at if at in stages else None,
    )


def attempts_table(found: queries.Attempts, run: str) -> None:
    """The attempts that the filters let through; the one that is ticked goes into the address."""
    if found.rows.empty:
        st.text("No attempt is like that.")
        return
    figures = st.column_config.NumberColumn
    ids = list(zip(found.rows["job_id"], found.rows["number"], strict=True))
    # Another choice of rows is another table: a row number kept from the last one would be of another attempt.
    key = f"attempts {run} {hash(tuple(ids))}"
    st.dataframe(
        found.rows,
        hide_index=True,
        placeholder=words.NOTHING,
        on_select=lambda: _ticked(key, ids),
        selection_mode="single-row",
        height=320,
        key=key,
        column_config={
            "kind": None,
            "started_at": None,
            "repeat": None,
            "number": figures("try", help="0 is the first; others are retries"),
            "stage": st.column_config.TextColumn("stage", width=140),
            "failure_kind": st.column_config.TextColumn("failure", width=110),
            "score": figures("score", format="%.2g", help="0 wrong to 1 right"),
            "ttft_ms": figures("TTFT, ms", format="%.1f"),
            "e2e_ms": figures("whole, ms", format="%.1f", help="Last output since sending"),
            "tpot_ms": figures("TPOT, ms", format="%.2f"),
            "prompt_tokens": figures("tokens in", help="As the server states"),
            "output_tokens": figures("tokens out", help="As the server states"),
            "cost_usd": figures("cost, USD", format="%.8f"),
            "job_id": st.column_config.TextColumn("job"),
        },
        alt="Attempts of the run",
    )
    more = f"; the first {len(ids)} are shown" if found.n > len(ids) else ""
    st.caption(f"{found.n} of {found.of} attempts{more}. Tick one to see what was sent and what came.")


def _ticked(key: str, ids: list[tuple[str, int]]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        _go(*ids[rows[0]])


def _go(job: str, number: int) -> None:
    st.query_params["job"], st.query_params["try"] = job, str(number)


def chosen_attempt(found: queries.Attempts, of: queries.Version, run: str) -> None:
    """The attempt that the address names, and the ways to its neighbours in the table."""
    job, tries = st.query_params.get("job"), st.query_params.get("try", "0")
    if job is None:
        return
    number = int(tries) if tries.isdecimal() and len(tries) < 4 else 0
    one = queries.or_stop(lambda: queries.one(of, run, job, number))
    if one is None:
        st.warning(f"There is no attempt {plain.code(f'{job} try {tries}')} in this run. Tick one in the table above.")
        return
    ids = list(zip(found.rows["job_id"], found.rows["number"], strict=True))
    if (job, number) in ids:
        place = ids.index((job, number))
        before, after, _ = st.columns([1, 1, 6])
        if place > 0:
            before.button("Previous", on_click=_go, args=ids[place - 1], width="stretch")
        if place + 1 < len(ids):
            after.button("Next", on_click=_go, args=ids[place + 1], width="stretch")
    base_url = queries.base_url(of, run, one["endpoint"])
    attempt.show(one, of.results, base_url)


def show(chosen: choice.Chosen) -> None:
    """The page below its head."""
    runs_table(chosen.runs)
    found = queries.or_stop(lambda: filters(chosen.run, chosen.version))
    if not found.of:
        st.text("No attempts of this run are here.")
        return
    attempts_table(found, chosen.run)
    chosen_attempt(found, chosen.version, chosen.run)


chosen = choice.begin("Runs", before=watching)
show(chosen)
foot(chosen.version.results, chosen.run, {"attempts with their metrics": "attempt_metrics"})
