"""What the other pages need, fetched while the first is looked at: what they import, and their dearest answer."""

from __future__ import annotations

import ast
import importlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import streamlit as st

from dashboard.queries import Version
from harness.errors import HarnessError

_VIEWS = Path(__file__).parent / "views"
_LATER = ("pandas.io.formats.style", "streamlit.emojis")
"""What libraries import when a page first has a tinted table, or a warning."""


@st.cache_resource(show_spinner=False)
def fetched(_of: Version, _run: str | None) -> threading.Thread:
    """The thread that does it, once for each server: for the run that is looked at first, if there is one."""
    thread = threading.Thread(target=fetch, args=(_of, _run), name="what the other pages need", daemon=True)
    thread.start()
    return thread


def fetch(of: Version, run: str | None) -> None:
    """Import what the pages import, and judge the load of a run, which takes longest of all that they ask."""
    for name in modules():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    if run is not None:
        with suppress(HarnessError):
            # Imported above, and not before: the first page would have to wait for it.
            loads = importlib.import_module("dashboard.loads")
            loads.report(of, run)


def modules() -> Iterator[str]:
    """The modules that the pages import, each once."""
    found: dict[str, None] = {}
    for view in sorted(_VIEWS.glob("*.py")):
        for node in ast.walk(ast.parse(view.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                # A name out of a package may be a module of its own, and a name out of a module is none.
                found |= dict.fromkeys((node.module, *(f"{node.module}.{one.name}" for one in node.names)))
    yield from found
    yield from _LATER
