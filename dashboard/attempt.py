"""One attempt, whole: what was sent, what came, when, why it was scored so, and how to send it again."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

from dashboard import plain, queries, tables
from dashboard.drawing import draw
from dashboard.tables import Column, number
from harness.config import load_providers
from harness.errors import HarnessError
from harness.provider import Provider
from harness.record.folder import RunFolder
from harness.record.journal import attempts_of
from harness.report import words
from harness.report.charts import timeline
from harness.report.conformance.evidence import curl, exchange_lines
from harness.types import JsonObject


def show(one: JsonObject, results: str, base_url: str | None) -> None:
    """All that is known of one attempt. What models and servers wrote is only ever shown as code or escaped."""
    st.subheader("One attempt", anchor=False)
    st.code(f"{one['job_id']}  try {one['number']}", language=None, wrap_lines=True)
    if one["failure_kind"] is not None:
        st.code(f"{one['failure_kind']}: {one['failure_detail']}", language=None, wrap_lines=True)
    if one["score"] is not None:
        by = f"{one['scorer']} version {one['scorer_version']}"
        read = words.NOTHING if one["answer"] is None else one["answer"]
        said = f"score {one['score']:g} by {by}: {one['explanation']}\nanswer read out of the text: {read}"
        st.code(said, language=None, wrap_lines=True)
    verdicts(one["verdicts"])
    facts(one)
    figure = timeline.figure(one)
    alt = "Timeline of the attempt; the marks are in the table below"
    draw(figure, key="timeline", alt=alt, otherwise="nothing was sent.")
    said_and_sent(one)
    as_recorded(one, results, base_url)
    with st.expander("Every mark"):
        at = timeline.times(one)
        columns = [Column("mark"), number("ms", "Since the first byte was sent"), Column("meaning")]
        tables.show("Marks", columns, [(mark, f"{ms:.3f}", timeline.MARKS[mark]) for mark, ms in at.items()])


def verdicts(found: list[JsonObject]) -> None:
    """What probes concluded with the help of this attempt."""
    if not found:
        return
    columns = [Column("probe"), Column("verdict"), Column("should be"), Column("why"), Column("seen")]
    nothing = words.NOTHING
    rows = [
        (row["probe"], row["verdict"], row["title"], row["reason"] or nothing, row["actual"] or nothing)
        for row in found
    ]
    tables.show("Verdicts that rest on this attempt", columns, rows)


def facts(one: JsonObject) -> None:
    """The numbers of the attempt in one row."""
    known = {
        "HTTP": _text(one["status"]),
        "finish": _text(one["finish_reason"]),
        "TTFT, ms": words.number(one["ttft_ms"], 2),
        "whole, ms": words.number(one["e2e_ms"], 2),
        "TPOT, ms": words.number(one["tpot_ms"], 2),
        "tokens in": _text(one["prompt_tokens"]),
        "tokens out": _text(one["completion_tokens"]),
        "cost, USD": words.cost(one["cost_usd"]),
        "clock": one["clock"],
        "lag, ms": words.number(one["lag_max_ms"], 2),
        "reads": f"{one['n_reads']}, {one['coalesced_reads']} with several chunks",
        "under way": str(one["in_flight"]),
    }
    tables.show("The attempt in numbers", [number(name) for name in known], [tuple(known.values())])
    if one["deviations"]:
        st.text(f"Tolerated deviations from the documented shape: {', '.join(one['deviations'])}")
    if one["contract_faults"]:
        st.text(f"What the reply breaks of its contract: {', '.join(one['contract_faults'])}")


def _text(value: object) -> str:
    return words.NOTHING if value is None else str(value)


def said_and_sent(one: JsonObject) -> None:
    """Request beside answer, and the response byte for byte."""
    if one["response_headers_json"] is None or all(
        one[name] is None for name in ("request_body", "response_body", "text")
    ):
        st.text("The texts of this run are not kept here.")
        return
    left, right = st.columns(2)
    with left:
        st.markdown("**Request**")
        st.code(_pretty(one["request_body"]), language=None, wrap_lines=True, height=360)
    with right:
        st.markdown("**Answer**")
        parts = {"reasoning": one["reasoning"], "text": one["text"], "tool calls": _calls(one["tool_calls_json"])}
        said = [f"[{name}]\n{part}" if name != "text" else part for name, part in parts.items() if part]
        st.code(plain.beginning("\n\n".join(said) or words.NOTHING), language=None, wrap_lines=True, height=360)


def as_recorded(one: JsonObject, results: str, base_url: str | None) -> None:
    """On demand, from the run's journal: each read with its time, headers, and a command that sends the same again."""
    wanted = st.toggle(
        "As it was on the wire",
        key="wire",
        bind="query-params",
        help="Request and response from the run's journal, each read with its time, and a curl line without the key",
    )
    if not wanted:
        return
    folder = RunFolder(Path(results) / "runs" / one["run_id"])
    tries = queries.or_stop(lambda: list(attempts_of(folder, {one["job_id"]})))
    found = [each for each in tries if each.number == one["number"]]
    if not found:
        st.text("The journal of this run does not hold this attempt.")
    for each in found:
        if each.exchange.purged:
            st.text("The texts of this run were purged, and with them what was on the wire.")
            continue
        line = curl(each, base_url or "http://127.0.0.1:PORT/v1", _provider(one["endpoint"]))
        st.code(line, language=None, wrap_lines=True)
        st.code(plain.beginning("\n".join(exchange_lines(each))), language=None, height=420)


def _provider(endpoint: str) -> Provider | None:
    """How the provider is reached by today's configuration; None: it says nothing of it, or cannot be read."""
    try:
        return load_providers(None).get(endpoint.partition("/")[0])
    except HarnessError:
        return None


def _calls(tool_calls: str | None) -> str:
    return "" if not tool_calls or tool_calls == "[]" else _pretty(tool_calls)


def _pretty(body: str | None) -> str:
    """JSON set out, anything else as it is."""
    if body is None:
        return words.NOTHING
    try:
        return plain.beginning(json.dumps(json.loads(body), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return plain.beginning(body)
