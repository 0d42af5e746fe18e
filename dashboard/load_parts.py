"""The parts of the page Load: whether it can be believed, its levels, what the client did, what the server saw."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import choice, loads, plain, queries, tables
from dashboard.drawing import draw
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts import kept_up, over_time
from harness.report.charts.load_curves import QUANTILES, Look, can_stand, placed, time_of
from harness.report.charts.marks import Marks
from harness.types import JsonObject

_MEANING = {
    "valid": "this client put on the load that was planned, and timed it well",
    "contaminated": "this client disturbed some of the measured requests",
    "client-limited": "this client, not the server, set the limit: the figures are not the server's",
}


def believed(report: JsonObject) -> None:
    """Whether the figures can be believed, first of all."""
    validity = report["validity"]
    if validity is None:
        st.warning("Not judged: nobody looked whether this client kept up.")
        return
    word = validity["word"]
    reasons = f": {plain.message('; '.join(validity['reasons']))}" if validity["reasons"] else ""
    more = f" `--workers {validity['workers_needed']}` would be enough." if validity.get("workers_needed") else ""
    said = f"**{word}** — {_MEANING.get(word, '')}{reasons}.{more}"
    (st.success if word == "valid" else st.warning)(said)
    found = list(dict.fromkeys(report["warnings"]))
    if found:
        with st.expander(f"{len(found)} notes on these figures"):
            for note in found:
                st.text(f"! {words.plain(note)}")


def not_drawn(levels: Sequence[JsonObject], quantiles: Sequence[str]) -> list[str]:
    """What the latency chart leaves out, with how much would be needed."""
    said = []
    for q in quantiles:
        weak = [row for row in levels if not can_stand(row["times"][_whole(row)][q], q)]
        if weak:
            counts = sorted(row["times"][_whole(row)][q]["n"] for row in weak)
            need = {"p50": "20 answers, or fewer that bound it,", "p95": "200", "p99": "1,000"}[q]
            between = str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
            said.append(
                f"{q}: not enough data at {len(weak)} of {len(levels)} levels: it needs {need}, these have {between}."
            )
    missing = len(levels) - len(placed(levels))
    if missing:
        said.append(f"{missing} levels have no rate, all of their requests arrived at once: they are in the table.")
    failed, n = sum(row["n_failed"] for row in levels), sum(row["n"] for row in levels)
    said.append(f"{failed} of {n} requests failed; they have no times, and are the bars at the bottom.")
    return said


def _whole(row: JsonObject) -> str:
    return time_of(row, "e2e")


def levels_table(levels: Sequence[JsonObject], marks: Marks) -> None:
    """Every level in numbers, as the load report has them."""
    since = "" if all(row["closed"] for row in levels) else "; since the planned arrival where arrivals do not wait"
    columns = [
        Column("endpoint"),
        Column("level", meaning="c4: four requests under way; r2: two a second; p2: two a second at random"),
        number("offered/s", "Planned arrivals per second; closed: the next is sent when one has come"),
        number("sent/s"),
        number("n", "Measured requests, warm-ups left out"),
        number("failed"),
        *(number(f"TTFT {q}, ms", f"[95 % interval]{since}; p99 takes 1,000 answers") for q in QUANTILES),
        number("ITL p50, ms", "Each request's time per output token, by the server's own count [95 % interval]"),
        number("ITL p99, ms", "Over tokens; * several tokens in a read: shared out, not seen"),
        *(number(f"E2E {q}, ms", f"[95 % interval]{since}") for q in QUANTILES),
        number("tokens/s", "Output tokens per second of all users together"),
        number("good/s", "Requests per second that met the objectives chosen above"),
        number("within objectives", "Share of planned requests, failed ones too [95 % interval]"),
        Column("state", meaning="full: more load brought no more; grows: requests piled up, times grow with the run"),
    ]
    tables.show("Load levels", columns, [_row(row, marks) for row in levels])


def _row(row: JsonObject, marks: Marks) -> tuple[str | Cell, ...]:
    first = row["times"][time_of(row, "ttft")]
    whole = row["times"][_whole(row)]
    shared = "" if row["itl_comparable"] in (True, None) else "*"
    tokens = row["output_tokens_per_s"] if row["window_tokens_per_s"] is None else row["window_tokens_per_s"]
    return (
        Cell(row["endpoint"], marks[row["endpoint"]]),
        row["stage"].rpartition("@")[2],
        "closed" if row["closed"] else words.number(row["offered_per_s"], 2),
        words.number(row["achieved_per_s"], 2),
        str(row["n"]),
        str(row["n_failed"]),
        *(_spread(first[q], q) for q in QUANTILES),
        _spread(row["times"]["tpot_ms"]["p50"], "p50"),
        words.number(row["itl_p99_ms"], 2) + shared,
        *(_spread(whole[q], q) for q in QUANTILES),
        words.number(tokens, 1),
        words.number(row["goodput_per_s"], 2),
        _share(row),
        "full" if row["saturated"] else "grows" if row["growing"] else "",
    )


def _spread(of: JsonObject, q: str) -> str:
    if not of["n"]:
        return words.NOTHING
    return words.spread(of["value"], (of["low"], of["high"])) if can_stand(of, q) else "not enough data"


def _share(row: JsonObject) -> str:
    if row["slo_attainment"] is None:
        return words.NOTHING
    low, high = 100 * row["slo_attainment_low"], 100 * row["slo_attainment_high"]
    return f"{words.percent(row['slo_attainment'])} [{low:.0f}–{high:.0f}]"


def kept_up_part(report: JsonObject, levels: Sequence[JsonObject], look: Look) -> None:
    """Offered against achieved, and how late this client was."""
    st.subheader("Was the load put on as planned?", anchor=False)
    left, right = st.columns(2)
    with left:
        draw(
            kept_up.achieved(levels, look),
            key="achieved",
            alt="Load that was put on against the load that was planned; figures in the table of levels",
            otherwise="no level has both.",
        )
        closed = levels[0]["closed"]
        st.caption(
            "Requests under way on average, start and end of a level included; below the line: the level was too short "
            "to fill, or requests were late."
            if closed
            else "Requests sent per second; below the dashed line this client, a limit or the server held them back."
        )
    with right:
        draw(
            kept_up.lateness(levels, report["client"], look),
            key="lateness",
            alt="How late requests left, how late the client's loop was and its processor share, by level",
            otherwise="this run holds no readings of its client.",
        )
        st.caption(
            f"Above the dashed line, {kept_up.BUSY_MS:.0f} ms, the client was too busy for its load to be what was "
            "planned. Sent late: after limits and connection allowed it. The worst process is drawn."
        )


def errors_part(report: JsonObject, marks: Marks) -> None:
    """How requests failed, by class."""
    if not report["errors"]:
        st.caption("No request of these loads failed.")
        return
    columns = [
        Column("endpoint"),
        Column("level"),
        Column("class"),
        number("n", "Attempts, retries and warm-ups too"),
        Column("example"),
    ]
    rows = [
        (
            Cell(row["endpoint"], marks[row["endpoint"]]),
            row["stage"].removeprefix("load."),
            row["failure_kind"],
            str(row["n"]),
            (row["example"] or words.NOTHING)[:200],
        )
        for row in report["errors"]
    ]
    st.subheader("Errors by class", anchor=False)
    tables.show("Errors by class", columns, rows)


def server_part(chosen: choice.Chosen, report: JsonObject, names: Sequence[str]) -> None:
    """The server's own means beside ours, and where it is asked for both on one axis of time."""
    st.subheader("Client and server", anchor=False)
    if st.session_state.get("server", names[0]) not in names:
        del st.session_state["server"]
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    picked = left.selectbox("Endpoint", names, key="server", bind="query-params")
    endpoint = picked if picked in names else names[0]
    # Five panels of a point for each second: the page is there sooner without them.
    if right.toggle("Draw it second by second", key="seconds", bind="query-params"):
        _second_by_second(chosen, endpoint)
    own = [row for row in report["server"] if row["endpoint"] == endpoint]
    if not own:
        st.caption(
            "No reading of the server's own metrics falls into these levels: it has no metrics page, is not one of "
            "yours, or they were too short."
        )
        return
    columns = [
        Column("level"),
        number("readings"),
        number("waiting", "Most requests in its queue"),
        number("running", "Most requests served at once"),
        number("KV cache", "Most of it in use"),
        number("queue, ms", "Mean time in its queue"),
        number("TTFT, ms", "Its mean | ours"),
        number("ITL, ms", "Its mean | ours"),
        number("tokens/s", "By its counter | ours"),
        number("prefix hits", "Share of prompt tokens found in its cache"),
    ]
    seen = {(row["endpoint"], row["stage"]): row for row in report["levels"]}
    own.sort(key=lambda row: seen.get((endpoint, row["stage"]), {}).get("load") or 0.0)
    cells = [_served(row, seen.get((endpoint, row["stage"]), {})) for row in own]
    tables.show("The server by its own metrics", columns, cells)
    st.caption("The server counts the requests of every client it has.")


def _second_by_second(chosen: choice.Chosen, endpoint: str) -> None:
    found = queries.or_stop(lambda: loads.moments(chosen.version, chosen.run, endpoint))
    draw(
        None if found is None else over_time.over_time(found),
        key="moments",
        alt=f"TTFT, requests under way, the server's queue and cache, and failures of {endpoint} over time",
        otherwise="nothing of this endpoint was sent under load.",
    )


def _served(row: JsonObject, own: JsonObject) -> tuple[str, ...]:
    between = row["itl_mean_s"] if row["itl_mean_s"] is not None else row["tpot_mean_s"]
    return (
        row["stage"].removeprefix("load."),
        str(row["samples_n"]),
        words.number(row["waiting_max"], 0),
        words.number(row["running_max"], 0),
        words.percent(row["kv_usage_max"]),
        words.number(_ms(row["queue_mean_s"]), 1),
        f"{words.number(_ms(row['ttft_mean_s']), 1)} | {words.number(own.get('ttft_mean_ms'), 1)}",
        f"{words.number(_ms(between), 2)} | {words.number(own.get('itl_mean_ms'), 2)}",
        f"{words.number(row['output_tokens_per_s'], 1)} | {words.number(own.get('window_tokens_per_s'), 1)}",
        words.percent(row["prefix_hit_share"]),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
