"""What page Trend asks: the series of ``harness trend``, and what people wrote about dates."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness.report.nights.annotations import Annotation, notes
from harness.report.nights.trend import HEADLINE, Series, trend
from harness.store.query import held


@st.cache_data(show_spinner="Putting the nights in their order…", max_entries=32)
def series(of: Version, metric: str, suite: str | None, last: int | None) -> list[Series]:
    """Every series of a metric, of the runs of a suite or of all, its latest nights. Errors: as ``trend``."""
    with held(Path(of.results)):
        return trend(Path(of.results), metrics=[metric], suite=suite, last=last)


def first_metric(of: Version, suite: str | None, last: int | None) -> str:
    """The first of the main metrics that some run has; the first of all where none has any."""
    return next((metric for metric in HEADLINE if series(of, metric, suite, last)), HEADLINE[0])


def told(of: Version) -> list[Annotation]:
    """What people wrote; read anew each time, for a file has no version. Errors: as ``notes``."""
    return notes(Path(of.results))
