"""Choices that the address keeps, on more than one page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import plain

_ABREAST = 6
"""Endpoints that stand beside one another unless more are wanted."""


def stale(name: str, known: Sequence[str], what: str) -> None:
    """Tell of what the address names and is not there."""
    for asked in st.query_params.get_all(name):
        if asked not in known:
            st.warning(f"There is no {what} {plain.code(asked)} here.")


def endpoints(names: Sequence[str]) -> list[str]:
    """Those that stand beside one another: all of a few, else those that are chosen."""
    if len(names) <= _ABREAST:
        return list(names)
    stale("endpoints", names, "endpoint")
    chosen = st.multiselect(
        "Endpoints beside one another", names, default=names[:_ABREAST], key="endpoints", bind="query-params"
    )
    return [name for name in chosen if name in names] or list(names[:_ABREAST])
