"""What proves one verdict: what was required, what was sent, what came, and a command that does it again."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import feature_queries, plain
from dashboard.queries import Version
from harness.errors import HarnessError
from harness.report.conformance import evidence, matrix
from harness.report.conformance.evidence import Exhibit
from harness.types import JsonObject


def clicked(key: str, probes: Sequence[str], endpoints: Sequence[str]) -> None:
    """A cell of the matrix with this key was chosen: the lists of the page, and with them the address, follow."""
    cells = st.session_state[key]["selection"]["cells"]
    if cells and cells[0][0] < len(probes):
        st.session_state["probe"] = probes[cells[0][0]]
        if cells[0][1] in endpoints:
            st.session_state["endpoint"] = cells[0][1]


def show(version: Version, row: JsonObject, about: JsonObject, declared: list[JsonObject]) -> None:
    """The drawer of one cell.

    Args:
        version: of the database.
        row: of the probe.
        about: of the endpoint.
        declared: where its provider says otherwise than was measured.
    """
    st.subheader("Evidence", anchor=False)
    known = feature_queries.known().get(row["probe"])
    required = list(evidence.requirement(known)) if known else [f"{row['probe']}  {row['title']}"]
    st.code("\n".join(required), language=None, wrap_lines=True)
    cell = row["cells"].get(about["endpoint"])
    if cell is None:
        st.info("This endpoint was not asked this.")
        return
    _verdict(about, cell)
    for said in declared:
        st.warning(
            f"Its provider's words are {plain.code(said['declared'])}, measured was {plain.code(said['measured'])}"
            + (f" (source {plain.code(said['source'])})" if said["source"] else "")
        )
    try:
        found = feature_queries.evidence(version, about, cell)
    except HarnessError as error:
        st.info(plain.message(str(error)))
        return
    if not found:
        st.text("No exchange of it is recorded here.")
    for place, one in enumerate(found):
        _exhibit(about["run"], one, first=place == 0)


def _verdict(about: JsonObject, cell: JsonObject) -> None:
    told = [f"endpoint  {about['called']}", f"run       {about['run']}", *evidence.verdict_lines(cell)]
    signed = matrix.with_sign(cell["verdict"])
    told = [line.replace(cell["verdict"], signed, 1) if line.startswith("verdict") else line for line in told]
    st.code("\n".join([*told, *evidence.engine_lines(about)]), language=None, wrap_lines=True)


def _exhibit(run: str, one: Exhibit, *, first: bool) -> None:
    with st.expander(plain.code(one.title), expanded=first):
        st.caption("Request and response as they were, each read with its time after the sending")
        st.code(plain.beginning("\n".join(one.exchange)), language=None, wrap_lines=True, height=320)
        st.code("\n".join(one.official), language=None, wrap_lines=True)
        st.caption("Sends the same again; the key stays in its variable")
        st.code(plain.beginning(one.curl), language=None, wrap_lines=True)
        link = {"run": run, "job": one.job, "try": str(one.number)}
        st.page_link("views/runs.py", label="This attempt on page Runs", query_params=link)
