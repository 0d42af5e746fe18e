"""Runs that are being measured now: their progress from their journals, drawn anew every two seconds."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard import plain, queries, tables
from dashboard.tables import Cell, Column, number
from harness.errors import HarnessError
from harness.record.folder import RunFolder
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.live import Progress, Watched, under_way

_EVERY_S = 2.0


def watching(of: queries.Version) -> None:
    """Each run under way, known to the database or not; the page is drawn anew when there is a new database."""
    try:
        _watch(of, queries.finished(of), queries.marks(of))
    except HarnessError:  # there is no database yet
        _watch(of, frozenset(), defaultdict(int))


@st.fragment(run_every=_EVERY_S)
def _watch(of: queries.Version, ended: frozenset[str], marks: Marks) -> None:
    # A run is published only when it was judged and sealed, some time after its end.
    if queries.version() != of:
        st.rerun()
    runs = under_way(Path(of.results), ended)
    for run in runs:
        with st.container(border=True):
            st.markdown(f"**Under way:** {plain.code(run.id)}")
            try:
                _show(_watched(str(run.root)).look(), marks)
            except (HarnessError, OSError) as error:
                st.info(plain.message(str(error)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _watched(root: str) -> Watched:
    """One reader for all who look on."""
    return Watched(RunFolder(Path(root)))


def _show(progress: Progress, marks: Marks) -> None:
    done, planned = progress.done, progress.planned
    if planned:
        st.progress(min(1.0, done / planned), text=f"{done} of {planned} planned requests were tried")
    said = [f"{progress.per_s:.1f} attempts a second over the last ten seconds"]
    if progress.left_s is not None and done < (planned or 0):
        said.append(f"at this pace {_duration(progress.left_s)} are left")
    if progress.stage is not None:
        said.append(f"now {words.plain(progress.stage)}")
    if progress.last is not None:
        ago = (datetime.now(UTC) - progress.last).total_seconds()
        said.append(f"last answer {_duration(max(0.0, ago))} ago")
    if progress.behind:
        said.append("more is in the journals than was read so far")
    st.text(" · ".join(said))
    columns = [
        Column("endpoint"),
        number("attempts", "That ended, warm-ups and retries too"),
        number("failed", "With an HTTP error, or broken off; empty answers are judged when the run ends"),
        Column("failures by kind"),
        number("first byte, ms", "Median time to the response headers over the last 200 answers"),
    ]
    rows = [
        (
            Cell(row.endpoint, marks[row.endpoint]),
            str(row.tries),
            str(sum(row.failed.values())),
            words.counted(row.failed),
            words.number(row.first_byte_ms, 1),
        )
        for row in progress.rows
    ]
    if rows:
        tables.show("Progress by endpoint", columns, rows)
    else:
        st.text("Nothing was answered yet.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
