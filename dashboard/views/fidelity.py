"""Who serves the same model as a reference, and whether answers suffer from load, with the requests that show it."""

from __future__ import annotations

import streamlit as st

from dashboard import choice, fidelity_queries, picking, plain, queries, tables
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.errors import HarnessError
from harness.report import words
from harness.report.charts.gaps import gaps
from harness.report.charts.marks import Marks
from harness.report.fidelity import told
from harness.report.fidelity.failures import ANSWERED
from harness.report.fidelity.quality import SCORE
from harness.types import JsonObject

_MEANINGS = {
    "test": "docs/verify.md says what each asks and when it calls two endpoints different",
    "gap": "How far from the reference, beyond what the reference is from itself; of a score the difference",
    "95 %": "Interval of the gap",
    "ceiling": "How far the reference is from itself, with the same number of answers",
    "smallest found": "The smallest difference that would have been found four times in five",
    "margin": "Up to here it counts as the same",
    "p": "That there is no difference, adjusted over all tests of all candidates",
    "n": "Prompts, questions or shapes",
}


def others(version: queries.Version, run: str) -> None:
    """The verifications that there are, each a link."""
    found = queries.or_stop(lambda: fidelity_queries.verifications(version))
    kept = [one for one in found if one["run_id"] != run]
    if not kept:
        return
    st.subheader("Other verifications", anchor=False)
    columns = [Column("run"), Column("began"), Column("state"), Column("asked"), Column("endpoints")]
    rows = [
        (
            one["run_id"],
            f"{str(one['created_at'])[:16]} UTC",
            one["status"] or words.NOTHING,
            "alone and under load" if one["busy"] else f"against {one['endpoints'][0]}",
            ", ".join(one["endpoints"] if one["busy"] else one["endpoints"][1:]),
        )
        for one in kept
    ]
    tables.show("Other verifications", columns, rows)
    for one in kept[:3]:
        st.page_link("views/fidelity.py", label=plain.code(one["run_id"]), query_params={"run": one["run_id"]})


def verdicts_table(found: JsonObject, marks: Marks) -> None:
    """A row for each endpoint: its verdict, whether it is worse, and the tests that say so."""
    loaded = found["kind"] == "under load"
    columns = [
        Column("endpoint"),
        Column("verdict", meaning="Different where a test says so or answers fail to come, equivalent where all do"),
        Column("score", meaning="Another question: of tasks with right answers, whether it is worse by the margin"),
        Column("answered", meaning="Whether more requests get no answer"),
        Column("times to first token" if loaded else "different in"),
    ]
    rows = []
    for one in found["candidates"]:
        word = {row["test"]: row["word"] for row in one["findings"]}
        apart = ", ".join(test for test, said in word.items() if said == "different") or words.NOTHING
        last = told.timed(one["times"]) if loaded else apart
        named = Cell(one["endpoint"], marks[one["endpoint"]])
        rows.append((named, told.signed(one["word"]), _word(word.get(SCORE)), _word(word.get(ANSWERED)), last))
    tables.show("Verdicts", columns, rows)


def _word(word: str | None) -> str:
    return words.NOTHING if word is None else told.signed(word)


def scorecard(candidate: JsonObject) -> None:
    """Every test of one candidate."""
    columns = [
        Column(name, _MEANINGS.get(name, ""), numeric=place >= told.WORDS_FIRST)
        for place, name in enumerate(told.COLUMNS)
    ]
    tables.show(f"Scorecard of {candidate['endpoint']}", columns, map(_row, candidate["findings"]))


def _row(one: JsonObject) -> tuple[str, ...]:
    test, word, *rest = told.row(one)
    return test, told.signed(word), *rest


def prompt_tokens_table(candidate: JsonObject) -> None:
    """The tokens that were counted for each shape of prompt."""
    counted = [one for one in candidate["findings"] if one["details"].get("table")]
    if not counted:
        return
    with st.expander("Prompt tokens of each shape", expanded=any(one["word"] == "different" for one in counted)):
        columns = [Column("shape"), number("reference"), number("candidate"), number("difference")]
        rows = [
            (row["shape"], _count(row["reference"]), _count(row["candidate"]), _difference(row))
            for row in counted[0]["details"]["table"]
        ]
        tables.show("Prompt tokens of each shape", columns, rows)


def _count(value: int | None) -> str:
    return words.NOTHING if value is None else f"{value:,}"


def _difference(row: JsonObject) -> str:
    if row["reference"] is None or row["candidate"] is None:
        return words.NOTHING
    off = row["candidate"] - row["reference"]
    return f"{off:+d}" if off else "0"


def evidence(version: queries.Version, found: JsonObject, candidate: JsonObject) -> None:
    """The requests that show what differs in one test, with both answers."""
    shown = [one["test"] for one in candidate["findings"] if one["shown"]]
    if not shown:
        return
    st.subheader("Evidence", anchor=False)
    picking.stale("test", shown, "evidence of")
    apart = [one["test"] for one in candidate["findings"] if one["shown"] and one["word"] in ("different", "worse")]
    first = shown.index((apart or shown)[0])
    test = st.selectbox("Requests that show most of", shown, index=first, key="test", bind="query-params")
    finding = next(one for one in candidate["findings"] if one["test"] == (test if test in shown else shown[first]))
    st.text(words.plain(f"{finding['test']}: {told.signed(finding['word'])}. {finding['says']}"))
    for one in finding["shown"]:
        try:
            sides = fidelity_queries.exchanges_of(version, found["run"], found["kind"], one)
        except HarnessError as error:
            st.info(plain.message(str(error)))
            return
        with st.container(border=True):
            st.markdown(plain.code(one["why"]))
            if not sides:
                st.text("No exchange of it is recorded here.")
            for place, side in zip(st.columns(max(1, len(sides))), sides, strict=False):
                with place:
                    _side(found["run"], side)


def _side(run: str, side: told.Exchange) -> None:
    st.markdown(f"**{side.side}** {plain.code(side.endpoint)}")
    st.code(plain.beginning("\n".join(line.strip() for line in side.received)), language=None, wrap_lines=True)
    st.caption("Sends the same again; the key stays in its variable")
    st.code(plain.beginning(side.curl), language=None, wrap_lines=True, height=120)
    link = {"run": run, "job": side.job, "try": str(side.number)}
    st.page_link("views/runs.py", label="This attempt on page Runs", query_params=link)


def show(version: queries.Version, found: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    st.text(words.plain(told.title(found)))
    verdicts_table(found, marks)
    for note in told.about(found):
        (st.warning if note.weight == "warning" else st.caption)(plain.message(note.text))
    alt = "Gaps of each test and endpoint in margins, with intervals; the numbers are in the scorecards"
    draw(gaps(found, marks), key="gaps", alt=alt, otherwise="no test has a gap and a margin yet.")
    st.subheader("Scorecard", anchor=False)
    names = [one["endpoint"] for one in found["candidates"]]
    picking.stale("candidate", names, "candidate")
    chosen = st.selectbox("Endpoint", names, key="candidate", bind="query-params")
    candidate = found["candidates"][names.index(chosen) if chosen in names else 0]
    scorecard(candidate)
    if times := candidate.get("times"):
        st.caption(f"TTFT p50: {told.timed(times)}.")
    prompt_tokens_table(candidate)
    evidence(version, found, candidate)


def page(chosen: choice.Chosen) -> None:
    """The page, or what it takes to have one."""
    known = queries.or_stop(lambda: fidelity_queries.verifications(chosen.version))
    if chosen.run not in [one["run_id"] for one in known]:
        st.info("This run is no verification. Make one with `harness verify --reference A --candidate B`")
    else:
        try:
            found = fidelity_queries.found(chosen.version, chosen.run)
        except HarnessError as error:
            st.info(plain.message(str(error)))
        else:
            show(chosen.version, found, queries.marks(chosen.version))
    others(chosen.version, chosen.run)


chosen = choice.begin("Fidelity")
page(chosen)
foot(chosen.version.results, chosen.run, {"tasks": "quality_summary", "answers": "attempt_metrics", "scores": "scores"})
