"""What can be said of endpoints against a baseline, in one run or since another, and how sure one can be."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import streamlit as st

from dashboard import choice, compared, plain, queries
from dashboard.compare_parts import charts, configuration, not_comparable, stage_table, what_differs
from dashboard.foot import foot
from harness.report.charts.marks import Marks
from harness.types import JsonObject

HERE, BEFORE, OTHER = "this run", "the run before", "another run"
# Endpoints that are compared unless more are asked for: each takes questions of its own. (Streamlit would show a
# docstring here on the page.)
_SHOWN_AT_FIRST = 5
_ALIKE = {"no difference": 0.0, "1 %": 1.0, "5 %": 5.0, "10 %": 10.0}


class Asked(NamedTuple):
    """What is compared with what."""

    other: str | None
    """Run of the baseline; None: the chosen run itself."""
    baseline: str | None
    """Its endpoint; None: whatever has the same name."""
    shown: tuple[str, ...]
    alike: float
    """Percent."""


def ask(chosen: choice.Chosen) -> Asked:
    """The choices of the page, each in the address; ends the page where there is nothing to choose."""
    own = queries.or_stop(lambda: compared.endpoints(chosen.version, chosen.run))
    if not own:
        st.info("This run asked no endpoint that is known here. Choose another run, or look at it on the page Runs.")
        st.stop()
    first, second = st.columns([2, 1], vertical_alignment="bottom")
    with first:
        where = st.segmented_control(
            "Baseline in",
            [HERE, BEFORE, OTHER],
            default=HERE if len(own) > 1 else BEFORE,
            key="against",
            required=True,
            bind="query-params",
            help="The run before: the newest earlier one of the same suite. It answers what changed since.",
        )
    alike = second.selectbox(
        "Counts as the same: within",
        list(_ALIKE),
        index=2,
        key="alike",
        bind="query-params",
        help="A difference whose whole interval lies within this is called the same; of failures and quality within a "
        "fifth of it in points, half a point at least. As harness compare --same-within has it.",
    )
    # What is chosen within a run is no choice against another one, where each endpoint is held against itself.
    other = _other_run(chosen, where)
    named, shown = st.columns(2, vertical_alignment="bottom")
    with named:
        baseline = _baseline(chosen, other, own)
    with shown:
        names = [name for name in own if other is not None or name != baseline]
        picked = _several("Compared with it", names, "endpoint" if other is None else "endpoint_since")
    return Asked(other, baseline, tuple(picked), _ALIKE.get(str(alike), 5.0))


def _other_run(chosen: choice.Chosen, where: str | None) -> str | None:
    if where == BEFORE:
        found = queries.or_stop(lambda: compared.run_before(chosen.version, chosen.run))
        if found is None:
            suite = chosen.row["suite"]
            again = f"harness run {shlex.quote(suite)}" if isinstance(suite, str) else "harness run"
            st.info(
                "There is no earlier run of the same suite with one of these endpoints: nobody can say what changed. "
                f"Measure again with {plain.code(again)}, or choose another run as the baseline."
            )
            st.stop()
        st.caption(f"The run before is {plain.code(found)}.")
        return found
    if where == OTHER:
        others = [run for run in chosen.runs["run_id"] if run != chosen.run]
        if not others:
            st.info("There is no other run yet. Make one with `harness run`")
            st.stop()
        return _one("Run of the baseline", others, "with", others[0])
    return None


def _baseline(chosen: choice.Chosen, other: str | None, own: list[str]) -> str | None:
    if other is None:
        if len(own) < 2:
            st.info("Nothing to compare: it takes two endpoints that were asked the same, or a run before.")
            st.stop()
        return _one("Baseline", own, "baseline", own[0])
    theirs = compared.endpoints(chosen.version, other)
    return _one("Baseline", theirs, "baseline_since", None, placeholder="the endpoint of the same name")


def _one(title: str, options: list[str], key: str, first: str | None, placeholder: str = "choose") -> str | None:
    """One of some names; one that is none of them any more, or never was, is left out."""
    if st.session_state.get(key, first) not in options:
        st.session_state.pop(key, None)
    place = None if first is None else options.index(first)
    picked = st.selectbox(title, options, index=place, key=key, bind="query-params", placeholder=placeholder)
    return picked if picked in options else first


def _several(title: str, options: list[str], key: str) -> list[str]:
    default = options[:_SHOWN_AT_FIRST]
    if key in st.session_state and not set(st.session_state[key]) <= set(options):
        st.session_state[key] = [name for name in st.session_state[key] if name in options]
    picked = st.multiselect(title, options, default=default, key=key, bind="query-params") or default
    if len(picked) < len(options):
        st.caption(f"{len(picked)} of {len(options)} endpoints are compared; choose others above.")
    return picked


def show(chosen: choice.Chosen, asked: Asked, found: JsonObject, marks: Marks) -> None:
    """The page below its choices."""
    what_differs(found, asked.alike, marks)
    groups = [(pair, group) for pair in found["pairs"] for group in pair["groups"]]
    if groups:
        stages = list(dict.fromkeys(group["stage"] for _, group in groups))
        stage = _one("Task or load level", stages, "stage", _most_telling(groups))
        assert stage is not None
        stage_table(found, stage, marks)
        pairs = [pair for pair, group in groups if group["stage"] == stage]
        charts(chosen, asked, pairs, stage, marks)
    not_comparable(found, marks)
    configuration(chosen, asked, found, marks)


def _most_telling(groups: list[tuple[JsonObject, JsonObject]]) -> str:
    """The stage with most pairs, the first of these."""
    stage: str = max(groups, key=lambda group: group[1]["counts"]["pairs"])[1]["stage"]
    return stage


CHOSEN = choice.begin("Compare")
ASKED = ask(CHOSEN)
FOUND = queries.or_stop(
    lambda: compared.compared(CHOSEN.version, CHOSEN.run, ASKED.other, ASKED.baseline, ASKED.shown, ASKED.alike)
)
show(CHOSEN, ASKED, FOUND, queries.marks(CHOSEN.version))
foot(CHOSEN.version.results, CHOSEN.run, {"attempts with their metrics": "attempt_metrics"})
