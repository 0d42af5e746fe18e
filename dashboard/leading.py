"""Where a page leads on, from a run to what else is known of it."""

from __future__ import annotations

import streamlit as st

from dashboard import fidelity_queries, queries


def to_fidelity(version: queries.Version, run: str) -> None:
    """A link to the scorecards of a run that is a verification; nothing of any other."""
    known = {one["run_id"]: one for one in queries.or_stop(lambda: fidelity_queries.verifications(version))}
    if run not in known:
        return
    busy = known[run]["busy"]
    label = (
        "Do answers suffer from load? On page Fidelity" if busy else "Who serves the model faithfully? On page Fidelity"
    )
    st.page_link("views/fidelity.py", label=label, query_params={"run": run})
