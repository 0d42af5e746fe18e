"""One question, and every endpoint's answer to it side by side."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import plain, quality_queries
from dashboard.queries import Version
from harness.report import question, words
from harness.types import JsonObject

_ABREAST = 3
"""Answers that fit beside one another."""


def show(version: Version, run: str, task: str, sample: str, names: Sequence[str]) -> None:
    """What was asked and what came; all of it is shown as text, letter by letter."""
    st.subheader("One question", anchor=False)
    found = quality_queries.answers(version, run, task, sample, tuple(names))
    shown = [row for row in found if row["endpoint"] in names]
    if not shown:
        st.text("No endpoint answered it.")
        return
    st.code(f"{task}  {sample}", language=None, wrap_lines=True)
    # The last turn holds those before it.
    last = max(found, key=lambda row: row["turn"])
    st.code(plain.beginning(question.asked(last["request_body"])), language=None, wrap_lines=True, height=240)
    for begin in range(0, len(shown), _ABREAST):
        for column, row in zip(st.columns(_ABREAST), shown[begin : begin + _ABREAST], strict=False):
            with column.container(border=True):
                _answer(run, row)


def _answer(run: str, row: JsonObject) -> None:
    which = [f"repeat {row['repeat']}"] if row["repeat"] else []
    which += [f"turn {row['turn']}"] if row["turn"] else []
    st.markdown(plain.code(row["endpoint"]) + (f" {', '.join(which)}" if which else ""))
    st.code("\n".join(question.judged(row)), language=None, wrap_lines=True)
    st.code(plain.beginning(question.answered(row)), language=None, wrap_lines=True, height=220)
    st.caption(f"{words.number(row['e2e_ms'], 0)} ms, cost {words.cost(row['cost_usd'])} USD")
    link = {"run": run, "job": row["job_id"], "try": str(row["number"])}
    st.page_link("views/runs.py", label="This attempt on page Runs", query_params=link)
