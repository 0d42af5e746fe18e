"""What every page ends with: its numbers as files, and a link that shows the same again."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import streamlit as st

from harness.store.export import Format, export

_KINDS: dict[Format, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def foot(results: str, run: str | None, views: dict[str, str]) -> None:
    """Offer views of the store as files, ``views`` by what they hold; ``run`` alone, or all runs where it is None."""
    left, right = st.columns(2)
    with left.popover("Download", width="stretch"):
        for what, view in views.items():
            st.text(what)
            for how, mime in _KINDS.items():
                name = f"{view}{'' if run is None else '-' + run}.{how}"
                # Made when it is asked for.
                made = partial(_file, results, _query(view, run), how)
                st.download_button(how.upper(), made, name, mime, key=f"download {name}", on_click="ignore")
    with right.popover("Link to this page", width="stretch"):
        st.caption("The same page with the same choices, for whoever has these results; the button copies it.")
        st.code(_address(), language=None, wrap_lines=True)


def _query(view: str, run: str | None) -> str:
    return f"from {view}" if run is None else f"from {view} where run_id = '{run.replace(chr(39), chr(39) * 2)}'"


def _file(results: str, query: str, how: Format) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, f"view.{how}")
        export(Path(results), query, target, how)
        return target.read_bytes()


def _address() -> str:
    chosen = urlencode({name: st.query_params.get_all(name) for name in st.query_params}, doseq=True)
    page = str(st.context.url)
    return f"{page if urlsplit(page).path else f'{page}/'}?{chosen}" if chosen else page
