"""What page Fidelity asks: which runs are verifications, what one found, and the exchanges that show it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness import config
from harness.errors import HarnessError
from harness.provider import Provider
from harness.record.folder import open_run
from harness.report.fidelity.found import found_in
from harness.report.fidelity.told import Exchange, exchanges
from harness.store.query import held, rows
from harness.types import JsonObject


@st.cache_data(show_spinner=False, max_entries=4)
def verifications(of: Version) -> list[JsonObject]:
    """The runs that are verifications, newest first.

    Each with ``run_id``, ``created_at``, ``status``, ``endpoints`` in the order of the run, and ``busy``: whether they
    were asked alone and under load.
    """
    query = """
        select run_id, created_at, status, busy,
            (select list(endpoint order by position) from endpoints e where e.run_id = r.run_id) as endpoints
        from (
            select *, coalesce(json_extract_string(manifest, '$.selection.busy'), 'null') <> 'null' as busy
            from runs where manifest is not null
        ) r
        where busy or json_extract_string(manifest, '$.selection.twice') = 'true'
        order by created_at desc nulls last, run_id desc
    """
    return rows(Path(of.results), query)


@st.cache_data(show_spinner="Comparing the answers…", max_entries=8)
def found(of: Version, run: str) -> JsonObject:
    """What a verification found, as ``harness verify report --json`` prints it. Errors: as ``found_in``."""
    with held(Path(of.results)):
        return found_in(Path(of.results), open_run(Path(of.results), run))


@st.cache_data(show_spinner="Reading what was recorded…", max_entries=32)
def exchanges_of(of: Version, run: str, kind: str, shown: JsonObject) -> list[Exchange]:
    """Both sides of a request that shows a difference; ``kind`` of the verification. Errors: as ``exchanges``."""
    return list(exchanges({"kind": kind}, shown, open_run(Path(of.results), run), _providers()))


def _providers() -> dict[str, Provider]:
    """For the names of headers and variables in a curl line; one that cannot be read leaves them out."""
    try:
        return config.load_providers()
    except HarnessError:
        return {}
