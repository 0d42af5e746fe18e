"""The questions of one task: on which endpoints differ from a baseline, and which of them is to be shown whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard import picking, plain, quality_queries, tables
from dashboard.queries import Version
from dashboard.tables import Cell, Column, number
from dashboard.tinted import BLUE, ORANGE, tinted
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.comparison import flips
from harness.report.comparison.flips import Question
from harness.types import JsonObject

_MEANINGS = {
    "differ": "questions that do not have the same score everywhere",
    "worse": "right to wrong: questions that some endpoint scored less on than the baseline",
    "better": "wrong to right: questions that some endpoint scored more on",
    "all": "every question",
}
_ARROWS = {"better": " ↑", "worse": " ↓"}
_TINTS = {"↑": BLUE, "↓": ORANGE}


class Baseline(NamedTuple):
    """What the endpoints are held against."""

    run: str
    endpoint: str


def choose_baseline(version: Version, run: str, task: str, names: Sequence[str]) -> Baseline:
    """An endpoint of this run, or of another run that asked the task."""
    known = quality_queries.asked_in(version, task)
    others = [one for one in known if one != run]
    picking.stale("baseline_run", [run, *others], "run of this task")
    left, right = st.columns(2)
    of = left.selectbox("Baseline: run", [run, *others], key="baseline_run", bind="query-params")
    of = of if of in known else run
    endpoints = list(names) if of == run else known[of]
    picking.stale("baseline", endpoints, "endpoint of that run")
    endpoint = right.selectbox("endpoint", endpoints, key="baseline", bind="query-params")
    return Baseline(of, endpoint if endpoint in endpoints else endpoints[0])


def flips_table(
    found: Sequence[Question], baseline: Baseline, run: str, own: Sequence[JsonObject], marks: Marks
) -> None:
    """How many questions each endpoint won and lost against the baseline; ``own``: see ``flips.tested``."""
    names = list(dict.fromkeys(name for one in found for name in one.marks))
    compared = [name for name in names if (run, name) != baseline]
    if not compared:
        st.text("One endpoint has nothing to be held against: choose a run before it as the baseline.")
        return
    columns = [
        Column("endpoint"),
        number("right → wrong", "Questions on which it scored less than the baseline"),
        number("wrong → right", "Questions on which it scored more"),
        number("the same"),
        number("n", "Questions that both scored and that are the same, byte for byte"),
        number("not compared", "Not scored on one side, or another question under that name"),
        number("difference", "Points of the mean score [95 % interval], where both are of this run"),
        Column("verdict", meaning="unclear where the interval holds 0 or the adjusted p is above 0.05"),
    ]
    rows: list[tuple[str | Cell, ...]] = []
    for row in flips.totals(found, compared):
        tested = flips.tested(own, baseline.endpoint, row["endpoint"]) if baseline.run == run else None
        counts = (str(row[word]) for word in ("worse", "better", "same", "n", "not compared"))
        verdict = words.judgement(tested) if tested else words.NOTHING
        rows.append((Cell(row["endpoint"], marks[row["endpoint"]]), *counts, _difference(tested), verdict))
    tables.show("Flips against the baseline", columns, rows)
    if baseline.run != run:
        st.caption(f"Intervals between two runs: {plain.code(f'harness compare {baseline.run} {run}')}")


def _difference(tested: JsonObject | None) -> str:
    return words.NOTHING if tested is None else f"{words.value(tested)} [{words.bounds(tested)}]"


def choose_question(found: Sequence[Question], run: str, names: Sequence[str], baseline: Baseline) -> str | None:
    """The list of the wanted questions, and the one that was picked."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control(
            "Questions",
            list(flips.WANTED),
            default="differ" if len(names) > 1 or baseline.run != run else "all",
            key="questions",
            required=True,
            bind="query-params",
            help="; ".join(f"{name}: {meaning}" for name, meaning in _MEANINGS.items()),
        )
    kept = flips.wanted(found, names, str(which))
    samples = [question.sample for question in found]
    picking.stale("sample", samples, "question of this task")
    picked = st.selectbox(
        "Question", samples, index=None, key="sample", bind="query-params", placeholder="choose one to see the answers"
    )
    if not kept:
        st.text(f"Of {len(found)} questions none is like that.")
    else:
        _list(kept, run, names, baseline)
        st.caption(f"{len(kept)} of {len(found)} questions. Click one, or choose it above, to see every answer.")
    return picked if picked in samples else None


def _list(kept: Sequence[Question], run: str, names: Sequence[str], baseline: Baseline) -> None:
    others = [name for name in names if (run, name) != baseline]
    base = "baseline" if baseline.run != run else f"{baseline.endpoint} (baseline)"
    rows = [
        {"question": one.sample, "asked": one.asked or words.NOTHING, base: flips.said(one.baseline)}
        | {name: flips.said(one.marks.get(name)) + _ARROWS.get(one.flip(name), "") for name in others}
        for one in kept
    ]
    ids = [one.sample for one in kept]
    key = f"questions {hash((*ids, *names, *baseline))}"
    cells = pd.DataFrame(rows)
    st.dataframe(
        tinted(cells, others, lambda cell: _TINTS.get(cell[-1:])),
        hide_index=True,
        key=key,
        on_select=lambda: clicked(key, ids),
        selection_mode="single-cell",
        height=min(36 * (len(cells) + 1) + 2, 400),
        column_config={
            "question": st.column_config.TextColumn("question", pinned=True, width="small"),
            "asked": st.column_config.TextColumn("asked", width="medium"),
        },
        alt="Questions by endpoints",
    )


def clicked(key: str, samples: Sequence[str]) -> None:
    """A cell of the list with this key was chosen: the choice above it, and with it the address, follow."""
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(samples):
        st.session_state["sample"] = samples[cells[0][0]]
