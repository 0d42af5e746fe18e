"""Which endpoint is how good, how fast, how dear: one run at a glance."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import charts, choice, plain, queries, tables
from dashboard.tables import Cell, Column, number
from harness.report import identity, words
from harness.types import JsonObject


def endpoints_table(endpoints: list[JsonObject]) -> None:
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
            Cell(row["endpoint"], position),
            words.score(row["quality"]),
            words.score(row["tools"]),
            words.spread(row.get("ttft_p50_ms"), row["ttft_p50_interval_ms"], row.get("ttft_n")),
            words.spread(row.get("ttft_p95_ms"), row["ttft_p95_interval_ms"]),
            words.number(row.get("output_tokens_per_s"), 1),
            words.cost(row.get("cost_usd")),
            words.features(row),
            words.errors(row),
        )
        for position, row in enumerate(endpoints)
    ]
    tables.show("Endpoints", columns, rows)
    st.caption(f"In brackets: 95 % intervals; ? where n is too small for a bound. {words.NOTHING} means not measured.")


def scatter(endpoints: list[JsonObject], field: str, title: str, unit: str, why: str) -> None:
    """Quality against one measure, and who could not be placed."""
    st.markdown(f"**Quality against {title}**")
    figure = charts.quality_against(endpoints, field, title, unit)
    missing = [plain.code(row["endpoint"]) for row in endpoints if charts.lacks(row, field)]
    if figure is None:
        st.info(f"Nothing to draw: {why}")
        return
    st.plotly_chart(figure, key=f"quality_{field}", alt=f"Quality against {title}; the numbers are in the table above")
    if missing:
        st.caption(f"Not drawn: {', '.join(missing)}. {why[0].upper()}{why[1:]}")


def comparisons_table(comparisons: list[JsonObject], positions: dict[str, int]) -> None:
    """What can be said against the baseline, with how sure one can be."""
    st.subheader("Against the baseline", anchor=False)
    st.caption(f"The baseline is {plain.code(comparisons[0]['baseline'])}; compared on what both answered.")
    columns = [
        Column("metric"),
        Column("endpoint"),
        number("difference", "Points of the mean score; for TTFT the median of the ratios, under 1 is faster"),
        number("95 % interval", "Newcombe for right and wrong, else Student; order statistics for the ratio"),
        number("n", "Questions or prompts that both answered"),
        number("flips", "Questions on which this endpoint scored more, and less, than the baseline"),
        number("could have seen", "Smallest true difference that n questions would show four times in five"),
        Column("verdict", meaning="unclear where the interval holds 0 or the adjusted p is above 0.05"),
    ]
    rows = [
        (
            words.metric(row),
            Cell(row["endpoint"], positions[row["endpoint"]]),
            words.value(row),
            words.bounds(row),
            str(row["n"]),
            words.flips(row),
            words.could_have_seen(row),
            words.judgement(row),
        )
        for row in comparisons
    ]
    tables.show("Comparison to the baseline", columns, rows)


def loads_part(loads: list[JsonObject], positions: dict[str, int]) -> None:
    """Charts over the levels of each load, and their numbers."""
    st.subheader("Streaming load", anchor=False)
    names = list(positions)
    for task in dict.fromkeys(row["task"] for row in loads):
        own = [row for row in loads if row["task"] == task]
        st.text(words.plain(task))
        measures = (("ttft_p95_ms", "TTFT p95, ms"), ("output_tokens_per_s", "output tokens/s, all users"))
        for place, (field, title) in zip(st.columns(2), measures, strict=True):
            figure = charts.load_levels(own, names, field, title)
            if figure is None:
                place.info(f"Nothing to draw: no level has {title}.")
            else:
                place.plotly_chart(figure, key=f"{task}_{field}", alt=f"{title} by load level; numbers below")
    columns = [
        Column("level", meaning="c4: four requests under way; r2: two a second; p2: two a second at random"),
        Column("endpoint"),
        number("n", "Measured attempts, warm-ups left out"),
        number("failed"),
        number("TTFT p50, ms"),
        number("TTFT p95, ms"),
        number("TPOT p50, ms", "Time per output token by the server's own token count"),
        number("tokens/s", "Output tokens per second of all users together"),
        number("within objectives", "Share of attempts that met every objective of the load, failed ones too"),
        Column("clock", meaning="Source of the times: the kernel's stamps, or this program's own reading"),
    ]
    tables.show("Load levels", columns, [_load_row(row, positions) for row in loads])


def _load_row(row: JsonObject, positions: dict[str, int]) -> tuple[str | Cell, ...]:
    return (
        row["stage"].removeprefix("load."),
        Cell(row["endpoint"], positions.get(row["endpoint"], 0)),
        str(row["n"]),
        str(row["n_failed"]),
        words.number(row["ttft_p50_ms"], 1),
        words.number(row["ttft_p95_ms"], 1),
        words.number(row["tpot_p50_ms"], 2),
        words.number(row["output_tokens_per_s"], 1),
        words.percent(row["slo_attainment"]),
        row["clock"] or words.NOTHING,
    )


def tasks_table(tasks: list[JsonObject], positions: dict[str, int]) -> None:
    """Each task on its own."""
    st.subheader("Tasks", anchor=False)
    columns = [
        Column("task"),
        Column("endpoint"),
        number("score", "Mean score of what was scored [95 % interval] n questions; under 95 % coverage its bounds"),
        number("of asked", "Mean score where what failed or cannot be judged counts as wrong"),
        number("scored", "Of those planned"),
        number("failed", "Requests that failed for good, by kind; they are no wrong answers"),
        number("invalid", "Answers that cannot be judged, by fault"),
        number("not asked", "Planned and not sent"),
    ]
    rows = [
        (
            row["task"],
            Cell(row["endpoint"], positions.get(row["endpoint"], 0)),
            words.score(row),
            words.percent(row["mean_of_asked"]),
            f"{row['n_scored']} of {row['n_planned']}",
            words.counted(row["failed"]),
            words.counted(words.unjudged(row)),
            str(row["n_not_asked"] or words.NOTHING),
        )
        for row in tasks
    ]
    tables.show("Tasks", columns, rows)


def features_table(features: list[JsonObject], positions: dict[str, int]) -> None:
    """What does not work as documented."""
    st.subheader("Features not fully supported", anchor=False)
    if not features:
        st.text("None: every feature that was probed works.")
        return
    columns = [Column("probe"), Column("endpoint"), Column("verdict"), Column("severity"), Column("why")]
    rows = [
        (
            row["probe"],
            Cell(row["endpoint"], positions.get(row["endpoint"], 0)),
            row["verdict"],
            row["severity"],
            row["reason"] or words.NOTHING,
        )
        for row in features
    ]
    tables.show("Features not fully supported", columns, rows)


def errors_table(endpoints: list[JsonObject]) -> None:
    """How requests failed; the ones that probes provoke on purpose are left out."""
    rows = [
        (Cell(row["endpoint"], position), kind, str(n))
        for position, row in enumerate(endpoints)
        for kind, n in row["errors"].items()
    ]
    if not rows:
        return
    st.subheader("Errors by class", anchor=False)
    tables.show("Errors by class", [Column("endpoint"), Column("class"), number("attempts")], rows)
    st.caption("Retried attempts are counted too; cancelled ones were broken off by this client.")


def provenance(summary: JsonObject) -> None:
    """What it takes to check a number or to measure it again."""
    run = summary["run"]
    with st.expander("How this was measured"):
        columns = [Column("endpoint"), Column("asked at"), Column("model id"), Column("engine"), Column("prices from")]
        rows = [
            (
                Cell(row["endpoint"], position),
                row["base_url"] or words.NOTHING,
                row["model_id"] or words.NOTHING,
                row["engine_version"] or words.NOTHING,
                (row["price"] or {}).get("source") or words.NOTHING,
            )
            for position, row in enumerate(summary["endpoints"])
        ]
        tables.show("How this was measured", columns, rows)
        st.code(
            f"harness {run['harness_version']}, Python {run['python']}, {run['os']}, {run['cpus']} processors, "
            f"seed {run['seed']}\nplan   {run['plan_sha256']}\nconfig {run['config_sha256']}\n\n"
            f"harness report {run['id']} --json\n"
            f"harness sql \"from endpoint_summary where run_id = '{run['id']}'\"",
            language=None,
        )


def show(summary: JsonObject) -> None:
    """The page below its head."""
    endpoints: list[JsonObject] = summary["endpoints"]
    positions = {row["endpoint"]: position for position, row in enumerate(endpoints)}
    run = summary["run"]
    said = (run["suite"] or "no suite", run["status"] or "status unknown", _when(run["created_at"]))
    st.text(words.plain(" · ".join(said)))
    endpoints_table(endpoints)
    st.caption(f"Measured with {words.health(summary['health'])}.")
    for concern in words.concerns(summary["health"]):
        st.caption(f"⚠ {concern}")
    for line in identity.lines(summary["identities"]):
        st.text(words.plain(line))
    left, right = st.columns(2)
    with left:
        scatter(endpoints, "ttft_p50_ms", "TTFT p50", "ms", "it takes scored answers and a streaming load.")
    with right:
        why = "it takes scored answers, prices, and usage stated by the server for every answer."
        scatter(endpoints, "cost_usd", "cost of this run", "USD", why)
    if summary["comparisons"]:
        comparisons_table(summary["comparisons"], positions)
    if summary["loads"]:
        loads_part(summary["loads"], positions)
    if summary["tasks"]:
        tasks_table(summary["tasks"], positions)
    if any(row.get("features_judged") for row in endpoints):
        features_table(summary["features"], positions)
    errors_table(endpoints)
    provenance(summary)


def _when(stamp: Any) -> str:
    """To the second, in UTC as it was written."""
    return str(stamp)[:19].replace("T", " ") + " UTC" if stamp else "start unknown"


chosen = choice.begin("Overview")
show(queries.or_stop(lambda: queries.summary(chosen.version, chosen.run)))
