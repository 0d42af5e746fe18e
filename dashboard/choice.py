"""Which run a page is about: one choice on every page, kept in the address so that a link shows the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard import plain, queries
from harness.report import words


class Chosen(NamedTuple):
    """What a page is about."""

    version: queries.Version
    runs: pd.DataFrame
    run: str

    @property
    def row(self) -> pd.Series:
        """The chosen one of the runs."""
        return self.runs.loc[self.runs["run_id"] == self.run].iloc[0]


_KEY = "run"
_REMEMBERED = "remembered"
"""(page, run): a page's widgets are forgotten when another page is opened; this is not."""
_ASKED = "asked"
"""The run in the address, noted before anything is read: who opens another page meanwhile keeps it."""


def begin(title: str, *, before: Callable[[queries.Version], None] | None = None) -> Chosen:
    """Head of a page; ends the page when the results cannot be read or hold no run.

    ``before`` draws, above that end, what needs no published run.
    """
    if asked := st.query_params.get(_KEY):
        st.session_state[_ASKED] = asked
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.title(title, anchor=False)
    version = queries.version()
    if before is not None:
        before(version)
    runs = queries.or_stop(lambda: queries.runs(version))
    if runs.empty:
        st.info("No runs yet. Make one with `harness demo`")
        st.stop()
    with right:
        run = choose_run(title, list(runs["run_id"]))
    chosen = Chosen(version, runs, run)
    tell_state(chosen.row)
    return chosen


def choose_run(page: str, ids: list[str]) -> str:
    """The run that the address or the reader asks for, else the one of the page before, else the newest."""
    asked = st.query_params.get(_KEY)
    last_page, last_run = st.session_state.get(_REMEMBERED, (None, None))
    last_run = st.session_state.pop(_ASKED, last_run)
    if asked is not None and asked not in ids:
        st.warning(f"There is no run {plain.code(asked)} here. This is another one.")
    if asked not in ids and last_page != page:
        # A visit begins or a page was opened, and the address names no run. Even the newest one is put into it, where
        # a widget's default would be left out: a link must go on meaning the same run.
        st.session_state[_KEY] = last_run if last_run in ids else ids[0]
        st.query_params[_KEY] = st.session_state[_KEY]
    elif asked not in ids and st.session_state.get(_KEY) not in ids:
        st.session_state[_KEY] = ids[0]  # the run is gone from the results
    chosen = st.selectbox(
        "Run", ids, index=None, key=_KEY, bind="query-params", required=True, label_visibility="collapsed"
    )
    run = str(chosen if chosen in ids else ids[0])
    st.session_state[_REMEMBERED] = (page, run)
    return run


def tell_state(run: pd.Series) -> None:
    """Say what is not as it should be with a run, and the command that goes on from there."""
    run_id = run["run_id"]
    if isinstance(run["problem"], str):
        st.warning(f"Data of this run are missing: {plain.message(run['problem'])}")
    elif run["status"] == "running":
        st.info(
            "This run was under way when the database was made: its numbers come when it ends. "
            f"If it was broken off, finish it with `harness resume {run_id}`"
        )
    elif run["status"] in words.ENDED:
        of = f" of {run['planned']:.0f}" if pd.notna(run["planned"]) else ""
        st.warning(
            f"This run was {words.ENDED[run['status']]}: {run['attempts']} "
            f"attempts are recorded{of} planned requests, so endpoints may have been asked different things. Finish it "
            f"with `harness resume {run_id}`"
        )
