"""Every run, and every request of one: what was sent, what came, when, and why it was scored so."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboard import choice, plain, queries, tables
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Column, number
from harness.report import words
from harness.report.charts import timeline
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
    hidden = {"sealed"} if runs["problem"].notna().any() else {"sealed", "problem"}
    st.dataframe(
        runs,
        hide_index=True,
        placeholder=words.NOTHING,
        height=min(36 * (len(runs) + 1) + 2, 250),
        column_order=[name for name in runs.columns if name not in hidden],
        column_config={
            "run_id": st.column_config.TextColumn("run", width=260),
            "created_at": st.column_config.DatetimeColumn("started, UTC", format="YYYY-MM-DD HH:mm:ss"),
            "planned": figures("planned", help="Planned requests"),
            "attempts": figures("attempts", help="Attempts recorded, retries too"),
            "clock_kernel_percent": figures("kernel clock, %", format="%.0f", help="Attempts timed by kernel stamps"),
            "lag_p99_ms": figures("client lag p99, ms", format="%.1f", help="How late this client read packets"),
        },
        alt="List of runs",
    )


def attempts_table(attempts: pd.DataFrame, run: str) -> pd.Series | None:
    """The attempts that the filters let through; the one that was chosen."""
    shown, endpoint, stage = st.columns([2, 1, 1], vertical_alignment="bottom")
    with shown:
        which = st.segmented_control(
            "Show", list(SHOWN), default="all", key="show", required=True, bind="query-params", help=_help()
        )
    names, stages = sorted(attempts["endpoint"].unique()), list(attempts["stage"].unique())
    only = endpoint.selectbox("Endpoint", names, index=None, key=f"endpoint {run}", placeholder="all")
    at = stage.selectbox("Stage", stages, index=None, key=f"stage {run}", placeholder="all")
    kept = attempts[_mask(attempts, str(which))]
    kept = kept[(kept["endpoint"] == only) | (only is None)]
    kept = kept[(kept["stage"] == at) | (at is None)]
    if kept.empty:
        st.text("No attempt is like that.")
        return None
    figures = st.column_config.NumberColumn
    picked = st.dataframe(
        kept,
        hide_index=True,
        placeholder=words.NOTHING,
        on_select="rerun",
        selection_mode="single-row",
        height=320,
        # Another choice of rows is another table: a row number kept from the last one would be of another attempt.
        key=f"attempts {run} {which} {only} {at}",
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
    rows = picked["selection"]["rows"]
    if not rows or rows[0] >= len(kept):
        st.caption(f"{len(kept)} of {len(attempts)} attempts. Tick one to see what was sent and what came.")
        return None
    return kept.iloc[rows[0]]


def _help() -> str:
    return "; ".join(f"{name}: {meaning}" for name, meaning in SHOWN.items())


def _mask(attempts: pd.DataFrame, which: str) -> pd.Series:
    masks = {
        "failed": attempts["failure_kind"].notna() & (attempts["kind"] != "probe"),
        "wrong": attempts["score"] < 1,
        "probes": attempts["kind"] == "probe",
    }
    return masks.get(which, pd.Series(data=True, index=attempts.index))


def attempt(one: JsonObject) -> None:
    """All that is known of one attempt. What models and servers wrote is only ever shown as code or escaped."""
    st.subheader("One attempt", anchor=False)
    st.code(f"{one['job_id']}  try {one['number']}", language=None, wrap_lines=True)
    if one["failure_kind"] is not None:
        st.code(f"{one['failure_kind']}: {one['failure_detail']}", language=None, wrap_lines=True)
    if one["score"] is not None:
        by = f"{one['scorer']} version {one['scorer_version']}"
        read = words.NOTHING if one["answer"] is None else one["answer"]
        said = f"score {one['score']:g} by {by}: {one['explanation']}\nanswer read out of the text: {read}"
        st.code(said, language=None, wrap_lines=True)
    verdicts(one["verdicts"])
    facts(one)
    figure = timeline.figure(one)
    alt = "Timeline of the attempt; the marks are in the table below"
    draw(figure, key="timeline", alt=alt, otherwise="nothing was sent.")
    said_and_sent(one)
    with st.expander("Every mark"):
        at = timeline.times(one)
        columns = [Column("mark"), number("ms", "Since the first byte was sent"), Column("meaning")]
        tables.show("Marks", columns, [(mark, f"{ms:.3f}", timeline.MARKS[mark]) for mark, ms in at.items()])


def verdicts(found: list[JsonObject]) -> None:
    """What probes concluded with the help of this attempt."""
    if not found:
        return
    columns = [Column("probe"), Column("verdict"), Column("should be"), Column("why"), Column("seen")]
    nothing = words.NOTHING
    rows = [
        (row["probe"], row["verdict"], row["title"], row["reason"] or nothing, row["actual"] or nothing)
        for row in found
    ]
    tables.show("Verdicts that rest on this attempt", columns, rows)


def facts(one: JsonObject) -> None:
    """The numbers of the attempt in one row."""
    known = {
        "HTTP": _text(one["status"]),
        "finish": _text(one["finish_reason"]),
        "TTFT, ms": words.number(one["ttft_ms"], 2),
        "whole, ms": words.number(one["e2e_ms"], 2),
        "TPOT, ms": words.number(one["tpot_ms"], 2),
        "tokens in": _text(one["prompt_tokens"]),
        "tokens out": _text(one["completion_tokens"]),
        "cost, USD": words.cost(one["cost_usd"]),
        "clock": one["clock"],
        "lag, ms": words.number(one["lag_max_ms"], 2),
        "reads": f"{one['n_reads']}, {one['coalesced_reads']} with several chunks",
        "under way": str(one["in_flight"]),
    }
    tables.show("The attempt in numbers", [number(name) for name in known], [tuple(known.values())])
    if one["deviations"]:
        st.text(f"Tolerated deviations from the documented shape: {', '.join(one['deviations'])}")
    if one["contract_faults"]:
        st.text(f"What the reply breaks of its contract: {', '.join(one['contract_faults'])}")


def _text(value: object) -> str:
    return words.NOTHING if value is None else str(value)


def said_and_sent(one: JsonObject) -> None:
    """Request beside answer, and the response byte for byte."""
    if one["response_headers_json"] is None or all(
        one[name] is None for name in ("request_body", "response_body", "text")
    ):
        st.text("The texts of this run are not kept here.")
        return
    left, right = st.columns(2)
    with left:
        st.markdown("**Request**")
        st.code(_pretty(one["request_body"]), language=None, wrap_lines=True, height=360)
    with right:
        st.markdown("**Answer**")
        parts = {"reasoning": one["reasoning"], "text": one["text"], "tool calls": _calls(one["tool_calls_json"])}
        said = [f"[{name}]\n{part}" if name != "text" else part for name, part in parts.items() if part]
        st.code(plain.beginning("\n\n".join(said) or words.NOTHING), language=None, wrap_lines=True, height=360)
    with st.expander("Response as it came"):
        headers = "\n".join(f"{name}: {value}" for name, value in json.loads(one["response_headers_json"]))
        st.code(headers or words.NOTHING, language=None)
        if one["response_body"] is None:
            st.text("A good answer under load: its body is in the journal of the run.")
        else:
            st.code(plain.beginning(one["response_body"]) or words.NOTHING, language=None)


def _calls(tool_calls: str | None) -> str:
    return "" if not tool_calls or tool_calls == "[]" else _pretty(tool_calls)


def _pretty(body: str | None) -> str:
    """JSON set out, anything else as it is."""
    if body is None:
        return words.NOTHING
    try:
        return plain.beginning(json.dumps(json.loads(body), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return plain.beginning(body)


chosen = choice.begin("Runs")
runs_table(chosen.runs)
found = queries.or_stop(lambda: queries.attempts(chosen.version, chosen.run))
if found.empty:
    st.text("No attempts of this run are here.")
    st.stop()
picked = attempts_table(found, chosen.run)
if picked is not None:
    job, number_of_try = str(picked["job_id"]), int(picked["number"])
    one = queries.or_stop(lambda: queries.one(chosen.version, chosen.run, job, number_of_try))
    if one is not None:
        attempt(one)
foot(chosen.version.results, chosen.run, {"attempts with their metrics": "attempt_metrics"})
