"""Which endpoint is how good, how fast, how dear: one run at a glance."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import choice, plain, queries, tables
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.tables import Cell, Column, number
from harness.report import identity, words
from harness.report.charts.marks import Marks
from harness.report.charts.pareto import lacks, quality_against
from harness.types import JsonObject


def endpoints_table(endpoints: list[JsonObject], marks: Marks) -> None:
    """The comparison itself: a row for each endpoint."""
    columns = [
        Column("endpoint", meaning="provider/model; the first is the baseline"),
        number("quality", "Mean score of what was scored [95 % interval] n questions; under 95 % coverage its bounds"),
        number("tool calls", "The same of tool tasks"),
        number("TTFT p50, ms", "Median time from sending to the first token under load [95 % interval] n"),
        number("TTFT p95, ms", "95th percentile of it [95 % interval]; ? where n is too small for that bound"),
        number("tokens/s", "Output tokens per second of all users together, over all load levels"),
        number("cost, USD", "By stated usage and the prices of that day; unknown if any part of it is unknown"),
        number("features failed", "Probes that found a feature broken, ignored or rejected, of those judged"),
        number("errors", "Failed attempts of all quality, tool and load attempts, retried ones too"),
    ]
    rows = [
        (
            Cell(row["endpoint"], marks[row["endpoint"]]),
            words.score(row["quality"]),
            words.score(row["tools"]),
            words.spread(row.get("ttft_p50_ms"), row["ttft_p50_interval_ms"], row.get("ttft_n")),
            words.spread(row.get("ttft_p95_ms"), row["ttft_p95_interval_ms"]),
            words.number(row.get("output_tokens_per_s"), 1),
            words.cost(row.get("cost_usd")),
            words.features(row),
            words.errors(row),
        )
        for row in endpoints
    ]
    tables.show("Endpoints", columns, rows)
    st.caption(f"In brackets: 95 % intervals; ? where n is too small for a bound. {words.NOTHING} means not measured.")


def scatter(endpoints: list[JsonObject], marks: Marks, field: str, title: str, unit: str, why: str) -> None:
    """Quality against one measure, and who could not be placed."""
    st.markdown(f"**Quality against {title}**")
    figure = quality_against(endpoints, field, title, unit, marks)
    missing = [plain.code(row["endpoint"]) for row in endpoints if lacks(row, field)]
    draw(
        figure,
        key=f"quality_{field}",
        alt=f"Quality against {title}; the numbers are in the table above",
        otherwise=why,
    )
    if figure is not None and missing:
        st.caption(f"Not drawn: {', '.join(missing)}. {why[0].upper()}{why[1:]}")


def errors_table(endpoints: list[JsonObject], marks: Marks) -> None:
    """How requests failed; the ones that probes provoke on purpose are left out."""
    rows = [
        (Cell(row["endpoint"], marks[row["endpoint"]]), kind, str(n))
        for row in endpoints
        for kind, n in row["errors"].items()
    ]
    if not rows:
        return
    st.subheader("Errors by class", anchor=False)
    tables.show("Errors by class", [Column("endpoint"), Column("class"), number("attempts")], rows)
    st.caption("Retried attempts are counted too; cancelled ones were broken off by this client.")


def provenance(summary: JsonObject, marks: Marks) -> None:
    """What it takes to check a number or to measure it again."""
    run = summary["run"]
    with st.expander("How this was measured"):
        columns = [Column("endpoint"), Column("asked at"), Column("model id"), Column("engine"), Column("prices from")]
        rows = [
            (
                Cell(row["endpoint"], marks[row["endpoint"]]),
                row["base_url"] or words.NOTHING,
                row["model_id"] or words.NOTHING,
                row["engine_version"] or words.NOTHING,
                (row["price"] or {}).get("source") or words.NOTHING,
            )
            for row in summary["endpoints"]
        ]
        tables.show("How this was measured", columns, rows)
        st.code(
            f"harness {run['harness_version']}, Python {run['python']}, {run['os']}, {run['cpus']} processors, "
            f"seed {run['seed']}\nplan   {run['plan_sha256']}\nconfig {run['config_sha256']}\n\n"
            f"harness report {run['id']} --json\n"
            f"harness sql \"from endpoint_summary where run_id = '{run['id']}'\"",
            language=None,
        )


def show(summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    endpoints: list[JsonObject] = summary["endpoints"]
    run = summary["run"]
    said = (run["suite"] or "no suite", run["status"] or "status unknown", _when(run["created_at"]))
    st.text(words.plain(" · ".join(said)))
    endpoints_table(endpoints, marks)
    st.caption(f"Measured with {words.health(summary['health'])}.")
    for concern in words.concerns(summary["health"]):
        st.caption(f"⚠ {concern}")
    for line in identity.lines(summary["identities"]):
        st.text(words.plain(line))
    left, right = st.columns(2)
    with left:
        scatter(endpoints, marks, "ttft_p50_ms", "TTFT p50", "ms", "it takes scored answers and a streaming load.")
    with right:
        why = "it takes scored answers, prices, and usage stated by the server for every answer."
        scatter(endpoints, marks, "cost_usd", "cost of this run", "USD", why)
    errors_table(endpoints, marks)
    provenance(summary, marks)


def _when(stamp: Any) -> str:
    """To the second, in UTC as it was written."""
    return str(stamp)[:19].replace("T", " ") + " UTC" if stamp else "start unknown"


chosen = choice.begin("Decide")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)), queries.marks(chosen.version))
foot(chosen.version.results, chosen.run, {"endpoints": "endpoint_summary", "errors": "error_summary"})
