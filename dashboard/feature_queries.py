"""What page Features asks: the matrix of ``harness probe matrix`` and the evidence of ``harness probe show``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness import catalog, config
from harness.conformance.probe import Probe
from harness.errors import HarnessError
from harness.provider import Provider
from harness.record.folder import open_run
from harness.report.conformance import figures as conformance
from harness.report.conformance.evidence import Exhibit, exhibits
from harness.store.query import rows
from harness.types import JsonObject


@st.cache_data(show_spinner=False, max_entries=4)
def probed(of: Version) -> list[str]:
    """The runs that have verdicts, newest first."""
    query = (
        "select run_id from runs where run_id in (select run_id from verdicts) order by created_at desc, run_id desc"
    )
    return [row["run_id"] for row in rows(Path(of.results), query)]


@st.cache_data(show_spinner=False, max_entries=8)
def matrix(of: Version, runs: tuple[str, ...]) -> JsonObject:
    """Several runs as one matrix. Errors: as ``conformance``."""
    return conformance.beside([conformance.conformance(Path(of.results), run) for run in runs])


@st.cache_data(show_spinner="Reading what was recorded…", max_entries=16)
def evidence(of: Version, about: JsonObject, cell: JsonObject) -> list[Exhibit]:
    """The exchanges that a verdict rests on; ``about`` and ``cell`` as in ``matrix``. Errors: as ``exhibits``."""
    provider = _providers().get(about["called"].partition("/")[0])
    return exhibits(open_run(Path(of.results), about["run"]), about, cell, provider)


@st.cache_resource(show_spinner="Reading the probes…")
def known() -> dict[str, Probe]:
    """The probes of this version by id, for what they require; none where one of the user's own cannot be read."""
    try:
        return dict(catalog.discover(only=("PROBES",)).probes)
    except HarnessError:
        return {}


def _providers() -> dict[str, Provider]:
    """For the names of headers and variables in a curl line; one that cannot be read leaves them out."""
    try:
        return config.load_providers()
    except HarnessError:
        return {}
