"""Which features work as documented, and the request that proves it where one does not."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import choice, evidence_drawer, feature_queries, leading, picking, plain, queries, tables, tinted
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.marks import Marks
from harness.report.conformance import figures as conformance
from harness.report.conformance import matrix
from harness.types import JsonObject

SHOWN = {
    "not supported": "probes that some endpoint does not support",
    "differences": "probes on which endpoints differ",
    "all": "every probe",
}
_TINTS = {
    "broken": tinted.ORANGE,
    "ignored": tinted.PINK,
    "partial": tinted.YELLOW,
    "rejected": tinted.BLUE,
}


def choose_runs(run: str, others: list[str]) -> tuple[str, ...]:
    """The run of the page, and those that are to stand beside it."""
    if not others:
        return (run,)
    picking.stale("beside", [run, *others], "run with probes")
    beside = st.multiselect("Runs beside it", others, key="beside", bind="query-params", placeholder="none")
    return (run, *(name for name in beside if name in others))


def endpoints_table(endpoints: list[JsonObject], marks: Marks) -> None:
    """Grade and numbers of each endpoint."""
    meanings = {
        "grade": "A to F; withheld where too little was judged: docs/conformance.md",
        "support": "Weighed share of what was judged",
        "honesty": "Of what it does not do, how often it says so",
        "broken": "Probes with that verdict",
        "evidence": "Probes that came to a verdict, of those tried",
    }
    columns = [Column("endpoint"), *(number(name, meanings[name]) for name in matrix.HEADS)]
    rows: list[tuple[str | Cell, ...]] = [
        (Cell(row["endpoint"], marks[row["called"]]), *matrix.heads(row)) for row in endpoints
    ]
    tables.show("Conformance of each endpoint", columns, rows)


def surfaces_table(found: JsonObject) -> None:
    """Support of each surface of the API, endpoints beside one another."""
    st.subheader("Support by surface", anchor=False)
    meaning = "Weighed share of what was judged, and of how many probes; broken and ignored ones are counted"
    columns = [Column("surface"), *(number(row["endpoint"], meaning) for row in found["endpoints"])]
    rows = [
        (surface, *(matrix.of_surface(row["surfaces"].get(surface)) for row in found["endpoints"]))
        for surface, _ in conformance.surfaces(found)
    ]
    tables.show("Support by surface", columns, rows)


def filters(found: JsonObject) -> list[JsonObject]:
    """The probes that the reader wants to see."""
    left, surface, severity, find = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    with left:
        which = st.segmented_control(
            "Probes",
            list(SHOWN),
            default="not supported",
            key="verdicts",
            required=True,
            bind="query-params",
            help="; ".join(f"{name}: {meaning}" for name, meaning in SHOWN.items()),
        )
    names = [name for name, _ in conformance.surfaces(found)]
    severities = list(dict.fromkeys(row["severity"] for row in found["probes"]))
    surfaces = surface.multiselect("Surface", names, key="surface", bind="query-params", placeholder="all")
    grave = severity.multiselect("Severity", severities, key="severity", bind="query-params", placeholder="all")
    text = find.text_input("Search", key="find", bind="query-params", placeholder="name or reason", max_chars=200)
    kept = conformance.narrowed(found["probes"], surfaces=surfaces, severities=grave, text=text or "")
    return list(matrix.worth_a_look(kept, only_differences=which == "differences", whole=which == "all"))


def choose_cell(found: JsonObject) -> tuple[JsonObject | None, JsonObject | None]:
    """The probe and the endpoint whose evidence is to be shown: from the address, these lists, or a click."""
    probes = {row["probe"]: row for row in found["probes"]}
    endpoints = {row["endpoint"]: row for row in found["endpoints"]}
    picking.stale("probe", list(probes), "probe")
    picking.stale("endpoint", list(endpoints), "endpoint")
    left, right = st.columns(2)
    probe = left.selectbox(
        "Evidence of", list(probes), index=None, key="probe", bind="query-params", placeholder="a probe"
    )
    endpoint = right.selectbox(
        "on", list(endpoints), index=None, key="endpoint", bind="query-params", placeholder="an endpoint"
    )
    return probes.get(probe or ""), endpoints.get(endpoint or "")


def matrix_table(probes: list[JsonObject], names: list[str]) -> None:
    """Probes as rows and endpoints as columns."""
    if not probes:
        st.text("No probe is like that: try another filter, or all.")
        return
    said = [
        {"probe": row["probe"], "severity": row["severity"]}
        | {name: _verdict(row["cells"].get(name)) for name in names}
        for row in probes
    ]
    cells = pd.DataFrame(said)
    ids = [row["probe"] for row in probes]
    key = f"matrix {hash((*ids, *names))}"
    st.dataframe(
        tinted.tinted(cells, names, lambda cell: _TINTS.get(cell.rpartition(" ")[2])),
        hide_index=True,
        key=key,
        on_select=lambda: evidence_drawer.clicked(key, ids, names),
        selection_mode="single-cell",
        height=min(36 * (len(cells) + 1) + 2, 560),
        column_config={"probe": st.column_config.TextColumn("probe", pinned=True, width="medium")},
        alt="Conformance matrix: probes by endpoints",
    )
    st.caption(f"{len(probes)} probes. Click a cell, or name it in the lists above, to see what proves it.")


def _verdict(cell: JsonObject | None) -> str:
    return words.NOTHING if cell is None else matrix.with_sign(cell["verdict"])


def declared_table(declared: list[JsonObject]) -> None:
    """Where a provider's own words are not what was measured."""
    if not declared:
        return
    st.subheader("Declared and measured", anchor=False)
    columns = [Column(name) for name in ("endpoint", "probe", "declared", "measured", "source")]
    rows = [
        (row["endpoint"], row["probe"], row["declared"], row["measured"], row["source"] or words.NOTHING)
        for row in declared
    ]
    tables.show("Declared and measured", columns, rows)


def show(version: queries.Version, found: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    if not found["probes"]:
        st.info("No probe of this run has a verdict yet.")
        return
    for line in matrix.mute_lines(found):
        st.warning(plain.message(line))
    many = len(found["endpoints"]) > 6
    with st.container(height=300 if many else "content", border=False):
        endpoints_table(found["endpoints"], marks)
    st.subheader("Matrix", anchor=False)
    kept = filters(found)
    row, about = choose_cell(found)
    names = [each["endpoint"] for each in found["endpoints"]]
    if row is None or about is None:
        matrix_table(kept, names)
    else:
        left, right = st.columns([1, 1])
        with left:
            matrix_table(kept, names)
        with right.container(border=True):
            told = [
                each
                for each in found["declared"]
                if (each["probe"], each["endpoint"]) == (row["probe"], about["endpoint"])
            ]
            evidence_drawer.show(version, row, about, told)
    surfaces_table(found)
    declared_table(found["declared"])


def page(chosen: choice.Chosen) -> None:
    """The page, or what it takes to have one."""
    leading.to_fidelity(chosen.version, chosen.run)
    probed = queries.or_stop(lambda: feature_queries.probed(chosen.version))
    if chosen.run not in probed:
        st.info("This run has no probes. Make some with `harness probe -e PROVIDER/MODEL`")
        if probed:
            st.text(f"Runs that have: {', '.join(probed[:5])}")
        return
    runs = choose_runs(chosen.run, [run for run in probed if run != chosen.run])
    found = queries.or_stop(lambda: feature_queries.matrix(chosen.version, runs))
    show(chosen.version, found, queries.marks(chosen.version))


chosen = choice.begin("Features")
page(chosen)
foot(chosen.version.results, chosen.run, {"verdicts": "feature_matrix", "scores": "conformance_score"})
