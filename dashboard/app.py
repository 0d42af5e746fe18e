"""The dashboard: a list of pages and nothing else. Started by ``harness dashboard``."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# Streamlit runs this file as a script; its pages import each other as a package, in a checkout and in a wheel alike.
_HOME = str(Path(__file__).resolve().parents[1])
if _HOME not in sys.path:
    sys.path.insert(0, _HOME)

from dashboard import ahead, queries  # noqa: E402 - only now can it be found

st.set_page_config(page_title="endpoint-harness", layout="wide")
# Streamlit's captions are too faint to read for many: 3.5 to 1 on white. What is chosen of several would be white
# on light blue in the dark, and a sixth of a screen above each title empty.
st.html(
    "<style>[data-testid=stCaptionContainer] {color: inherit; opacity: .8}"
    "[data-testid=stMultiSelect] [aria-label='Selected values'] > * {background: rgba(128, 128, 128, .25)}"
    "[data-testid=stMultiSelect] [aria-label='Selected values'] * {color: inherit !important}"
    "[data-testid=stMainBlockContainer] {padding-top: 4rem; padding-bottom: 3rem}</style>"
)
page = st.navigation(
    # No icons: the browser would fetch a page's icon from a font server.
    [
        st.Page("views/decide.py", title="Decide", default=True),
        st.Page("views/compare.py", title="Compare"),
        st.Page("views/load.py", title="Load"),
        st.Page("views/features.py", title="Features"),
        st.Page("views/fidelity.py", title="Fidelity"),
        st.Page("views/trend.py", title="Trend"),
        st.Page("views/quality.py", title="Quality"),
        st.Page("views/runs.py", title="Runs"),
    ],
    position="top",
)
with queries.one_database():
    page.run()
ahead.fetched(queries.version(), st.session_state.get("run"))
