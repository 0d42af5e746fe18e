"""The tables of a run's summary: what the terminal, the HTML file and the Markdown show of it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report import words
from harness.report.document import Grid, grid
from harness.types import JsonObject


def overview(endpoints: Sequence[JsonObject]) -> Grid:
    """The endpoints, a row each."""
    ranked = {kind: any(row[kind] and row[kind]["rank"] for row in endpoints) for kind in ("quality", "tools")}
    columns = (
        "endpoint",
        "quality",
        *(("rank",) if ranked["quality"] else ()),
        "tool calls",
        *(("rank",) if ranked["tools"] else ()),
        "TTFT p50 ms",
        "p95 ms",
        "tok/s",
        "cost USD",
        "features failed",
        "errors",
    )
    return grid(
        "Endpoints [95 % intervals]",
        1,
        columns,
        (
            (
                row["endpoint"],
                words.score(row["quality"]),
                *((words.rank(row["quality"]),) if ranked["quality"] else ()),
                words.score(row["tools"]),
                *((words.rank(row["tools"]),) if ranked["tools"] else ()),
                words.spread(row.get("ttft_p50_ms"), row["ttft_p50_interval_ms"], row.get("ttft_n")),
                words.spread(row.get("ttft_p95_ms"), row["ttft_p95_interval_ms"]),
                words.number(row.get("output_tokens_per_s"), 1),
                words.cost(row.get("cost_usd")),
                words.features(row),
                words.errors(row),
            )
            for row in endpoints
        ),
    )


def tasks(tasks: Sequence[JsonObject]) -> Grid:
    """Each task on each endpoint."""
    return grid(
        "Tasks",
        2,
        ("task", "endpoint", "score", "of asked", "scored", "failed", "invalid", "not asked"),
        (
            (
                row["task"],
                row["endpoint"],
                words.score(row),
                words.percent(row["mean_of_asked"]),
                f"{row['n_scored']} of {row['n_planned']}",
                words.counted(row["failed"]),
                words.counted(words.unjudged(row)),
                str(row["n_not_asked"] or words.NOTHING),
            )
            for row in tasks
        ),
    )


def repeats(tasks: Sequence[JsonObject]) -> Grid:
    """Of tasks that were asked several times."""
    most = max(row["repeats"]["repeats"] for row in tasks)
    return grid(
        f"Repeats: right at least once, and every time, in {most} tries [95 % intervals over questions]",
        2,
        ("task", "endpoint", "pass@1", f"pass@{most}", f"pass^{most}"),
        (
            (
                row["task"],
                row["endpoint"],
                words.tries(row["repeats"]["pass_at"][0]),
                words.tries(row["repeats"]["pass_at"][-1]),
                words.tries(row["repeats"]["pass_hat"][-1]),
            )
            for row in tasks
        ),
    )


def loads(loads: Sequence[JsonObject]) -> Grid:
    """The levels of the loads."""
    return grid(
        "Streaming load",
        2,
        ("stage", "endpoint", "n", "failed", "TTFT p50 ms", "p95 ms", "TPOT p50 ms", "tok/s", "clock"),
        (
            (
                row["stage"].removeprefix("load."),
                row["endpoint"],
                str(row["n"]),
                str(row["n_failed"]),
                words.number(row["ttft_p50_ms"], 1),
                words.number(row["ttft_p95_ms"], 1),
                words.number(row["tpot_p50_ms"], 2),
                words.number(row["output_tokens_per_s"], 1),
                row["clock"] or words.NOTHING,
            )
            for row in loads
        ),
    )


def comparisons(comparisons: Sequence[JsonObject]) -> Grid:
    """Each endpoint against the first one."""
    return grid(
        f"Against {comparisons[0]['baseline']}, on what both answered",
        2,
        ("metric", "endpoint", "difference", "95 % interval", "n", "flips", "could have seen", "verdict"),
        (
            (
                words.metric(row),
                row["endpoint"],
                words.value(row),
                words.bounds(row),
                str(row["n"]),
                words.flips(row),
                words.could_have_seen(row),
                words.judgement(row),
            )
            for row in comparisons
        ),
    )


def features(features: Sequence[JsonObject]) -> Grid:
    """Probes that found something not fully supported."""
    return grid(
        "Features not fully supported",
        4,
        ("probe", "endpoint", "verdict", "why"),
        ((row["probe"], row["endpoint"], row["verdict"], row["reason"]) for row in features),
    )


def broken(faults: Sequence[JsonObject]) -> Grid:
    """Replies that break the contract, by fault."""
    return grid(
        "Replies that break the contract",
        3,
        ("fault", "endpoint", "example job", "replies", "of all"),
        (
            (row["fault"], row["endpoint"], row["example_job_id"], str(row["n"]), words.percent(row["share"]))
            for row in faults
        ),
    )


def errors(endpoints: Sequence[JsonObject]) -> Grid:
    """How requests failed; what probes provoke on purpose is left out."""
    return grid(
        "Errors by class",
        2,
        ("endpoint", "class", "attempts"),
        ((row["endpoint"], kind, str(n)) for row in endpoints for kind, n in row["errors"].items()),
    )
