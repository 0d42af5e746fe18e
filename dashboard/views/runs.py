"""Every run, and every request of one: what was sent, what came, when, and why it was scored so."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboard import queries

version = queries.version()
runs = queries.or_stop(lambda: queries.runs(version))
st.title("Runs")
if runs.empty:
    st.info("No runs yet. Make one with: harness demo", icon=":material/info:")
    st.stop()
st.dataframe(runs, hide_index=True, width="stretch")

run = st.selectbox("Run", list(runs["run_id"]), key="run", bind="query-params")
attempts = queries.or_stop(lambda: queries.attempts(version, run))
if attempts.empty:
    st.info(f"Run {run} has no attempts here. Finish it with: harness resume {run}", icon=":material/info:")
    st.stop()
shown = st.segmented_control("Show", ["all", "failed", "wrong"], default="all", key="show")
if shown == "failed":
    attempts = attempts[attempts["failure_kind"].notna()]
elif shown == "wrong":
    attempts = attempts[attempts["score"] < 1]
chosen = st.dataframe(
    attempts, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key="attempt"
)
rows = chosen.selection.rows
if not rows:
    st.caption(f"{len(attempts)} attempts. Choose one to see what was sent and what came.")
    st.stop()

row = attempts.iloc[rows[0]]
one = queries.or_stop(lambda: queries.one(version, run, row["job_id"], int(row["number"])))
st.subheader(row["job_id"])
if one["failure_kind"] is not None:
    # Model and server output is hostile: it is only ever shown as code.
    st.code(f"{one['failure_kind']}: {one['failure_detail']}", language=None)
if isinstance(one["explanation"], str):
    st.code(f"score {one['value']:g}: {one['explanation']}", language=None)
marks = ("sched", "admit", "send0", "send1", "hdr", "ev1", "tok1", "vis1", "tool1", "tokn", "fin", "done", "eof")
began = one["send0_ns"]
times = {mark: (one[f"{mark}_ns"] - began) / 1e6 for mark in marks if pd.notna(one[f"{mark}_ns"]) and pd.notna(began)}
st.caption("Milliseconds since the first byte was sent: " + "  ".join(f"{mark} {at:.2f}" for mark, at in times.items()))
left, right = st.columns(2)
with left:
    st.caption("Request")
    try:
        st.code(json.dumps(json.loads(one["request_body"]), indent=2, ensure_ascii=False), language="json")
    except (TypeError, ValueError):
        st.code(str(one["request_body"]), language=None)
with right:
    st.caption("Text")
    st.code(one["text"] or "", language=None, wrap_lines=True)
    with st.expander("Response as it came"):
        st.code(str(one["response_body"]), language=None)
