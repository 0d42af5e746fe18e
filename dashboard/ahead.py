"""What the other pages import, fetched while the first is looked at: to change to one of them then takes no import."""

from __future__ import annotations

import ast
import importlib
import threading
from collections.abc import Iterator
from pathlib import Path

import streamlit as st

_VIEWS = Path(__file__).parent / "views"
_LATER = ("pandas.io.formats.style", "streamlit.emojis")
"""What libraries import when a page first has a tinted table, or a warning."""


@st.cache_resource(show_spinner=False)
def fetched() -> threading.Thread:
    """The thread that does it, once for each server."""
    thread = threading.Thread(target=fetch, name="imports of the other pages", daemon=True)
    thread.start()
    return thread


def fetch() -> None:
    """Import what the pages import."""
    for name in modules():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue


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
