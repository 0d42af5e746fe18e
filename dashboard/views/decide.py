"""Which endpoint to take: who is best by what one needs, how sure that is, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import choice, leading, plain, queries, tables
from dashboard.choice import Chosen
from dashboard.drawing import draw
from dashboard.foot import foot
from dashboard.parts import attainment, costs, routes, verdicts, wishes
from dashboard.tables import Cell, Column, number
from harness.report import words
from harness.report.charts.decided import Front, fronts
from harness.report.charts.marks import Marks
from harness.report.decision.routing import Routed
from harness.report.decision.whole import Decision, Wishes, decide
from harness.report.summary import identity
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


def worth_looking_at(found: Sequence[Front]) -> None:
    """The three pairs of measures that pull against each other."""
    st.subheader("Who is worth looking at", anchor=False)
    for place, front in zip(st.columns(len(found)), found, strict=True):
        with place:
            st.markdown(f"**{front.title}**")
            alt = f"{front.title} with 95 % intervals; the numbers are in the tables of this page"
            draw(front.figure, key=front.key, alt=alt, otherwise=f"{front.takes}.")
            if front.figure is not None and front.missing:
                why = f"{front.takes[0].upper()}{front.takes[1:]}"
                st.caption(f"Not drawn: {', '.join(map(plain.code, front.missing))}. {why}.")
    st.caption("Grey: another one is at least as good in both, by the estimates. Crosses are 95 % intervals.")


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


def show(chosen: Chosen, summary: JsonObject, marks: Marks) -> None:
    """The page below its head."""
    endpoints: list[JsonObject] = summary["endpoints"]
    run = summary["run"]
    said = (run["suite"] or "no suite", run["status"] or "status unknown", _when(run["created_at"]))
    st.text(words.plain(" · ".join(said)))
    leading.to_fidelity(chosen.version, chosen.run)
    if any(row.get("n") or row.get("features_judged") for row in endpoints):
        decided(chosen, summary, marks)
    else:
        st.text("Nothing was measured yet, so there is nothing to decide by.")
        overview(summary, marks)
    errors_table(endpoints, marks)
    provenance(summary, marks)


def overview(summary: JsonObject, marks: Marks) -> None:
    """The figures of the report, how well they were measured, and who answered."""
    endpoints_table(summary["endpoints"], marks)
    st.caption(f"Measured with {words.health(summary['health'])}.")
    for concern in words.concerns(summary["health"]):
        st.caption(f"⚠ {concern}")
    for line in identity.lines(summary["identities"]):
        st.text(words.plain(line))


def decided(chosen: Chosen, summary: JsonObject, marks: Marks) -> None:
    """The answer above what it was asked by, then what it rests on."""
    names = [row["endpoint"] for row in summary["endpoints"]]
    top = st.container()
    load, wanted = wishes.ask(summary, names[0])
    found = queries.or_stop(lambda: queries.recorded(chosen.version, chosen.run, load, wanted.limits))
    decision = decide(summary, found, wanted)
    with top:
        verdicts.show(summary, found, decision, wanted, marks)
    overview(summary, marks)
    worth_looking_at(fronts(decision, names, marks))
    attainment.show(found, decision, wanted, marks)
    costs.show(decision, wanted, marks)
    routes.show(_routed(chosen, load, decision, wanted), decision.ways, wanted, marks)


def _routed(chosen: Chosen, load: str | None, decision: Decision, wanted: Wishes) -> list[Routed]:
    ways = decision.ways
    if load is None or ways is None:
        return []
    return queries.or_stop(
        lambda: queries.routings(chosen.version, chosen.run, load, ways, wanted.limits, wanted.level)
    )


def _when(stamp: Any) -> str:
    """To the second, in UTC as it was written."""
    return str(stamp)[:19].replace("T", " ") + " UTC" if stamp else "start unknown"


about = choice.begin("Decide")
show(about, queries.or_stop(lambda: queries.summary(about.version, about.run)), queries.marks(about.version))
foot(about.version.results, about.run, {"endpoints": "endpoint_summary", "errors": "error_summary"})
