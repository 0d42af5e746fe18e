"""The comparison in the terminal."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import adapted, identity, judging, running, server_times, spending, words
from harness.report.tables import plain_table
from harness.types import JsonObject

_PIPED_WIDTH = 200
"""Columns where nobody watches: a table in a file or a pipe is not folded to a screen."""


def console(*, stderr: bool = False) -> Console:
    """The terminal as it is, or a wide page where the output goes elsewhere."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_PIPED_WIDTH)


def show(summary: JsonObject, console: Console) -> None:
    """Print the tables of a summary made by ``harness.report.summary``."""
    run = summary["run"]
    asked = words.asked_over(run)
    console.print(Text(words.plain(f"{run['suite']}  run {run['id']}  {run['status']}{asked}"), style="bold"))
    for part in (*_answers(summary), *_behaviour(summary)):
        console.print(part, soft_wrap=isinstance(part, Text))


def _answers(summary: JsonObject) -> Iterator[Table | Text]:
    """The endpoints, and how good their answers were and at what price."""
    yield _overview(summary["endpoints"])
    for line in (f"Measured with {words.health(summary['health'])}", *words.concerns(summary["health"])):
        yield Text(line, style="dim")
    for line in running.lines(summary["running"], summary["run"]["id"]):
        yield Text(words.plain(line))
    changed = adapted.lines(summary["adapted"])
    for line in (*changed, *identity.lines(summary["identities"]), *server_times.lines(summary["server_times"])):
        yield Text(words.plain(line))
    if summary["tasks"]:
        yield _tasks(summary["tasks"])
        if any(row["n_asked"] and not row["enough"] for row in summary["tasks"]):
            yield Text(words.TOO_LITTLE, style="dim")
    repeated = [row for row in summary["tasks"] if row["repeats"]]
    if repeated:
        yield _repeats(repeated)
    for line in judging.lines(summary["judging"]):
        yield Text(words.plain(line))
    if summary["vectors"]:
        yield from importlib.import_module("harness.report.vectors").shown(summary["vectors"])
    costs = spending.table(summary["spending"])
    if costs is not None:
        yield costs


def _behaviour(summary: JsonObject) -> Iterator[Table | Text]:
    """How they did under load and against each other, and what they did wrong."""
    if summary["loads"]:
        yield _loads(summary["loads"])
    if summary["comparisons"]:
        yield _comparisons(summary["comparisons"])
        for line in words.rules(summary):
            yield Text(line, style="dim")
    if summary["features"]:
        yield _features(summary["features"])
    if summary["contract_faults"]:
        yield _broken(summary["contract_faults"])
    failing = [row for row in summary["endpoints"] if row["errors"]]
    if failing:
        yield _errors(failing)


def _overview(endpoints: Sequence[JsonObject]) -> Table:
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
    return plain_table(
        "\nEndpoints [95 % intervals]",
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


def _tasks(tasks: Sequence[JsonObject]) -> Table:
    return plain_table(
        "\nTasks",
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


def _repeats(tasks: Sequence[JsonObject]) -> Table:
    most = max(row["repeats"]["repeats"] for row in tasks)
    return plain_table(
        f"\nRepeats: right at least once, and every time, in {most} tries [95 % intervals over questions]",
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


def _loads(loads: Sequence[JsonObject]) -> Table:
    return plain_table(
        "\nStreaming load",
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


def _comparisons(comparisons: Sequence[JsonObject]) -> Table:
    return plain_table(
        f"\nAgainst {comparisons[0]['baseline']}, on what both answered",
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


def _features(features: Sequence[JsonObject]) -> Table:
    return plain_table(
        "\nFeatures not fully supported",
        4,
        ("probe", "endpoint", "verdict", "why"),
        ((row["probe"], row["endpoint"], row["verdict"], row["reason"]) for row in features),
    )


def _broken(faults: Sequence[JsonObject]) -> Table:
    return plain_table(
        "\nReplies that break the contract",
        3,
        ("fault", "endpoint", "example job", "replies", "of all"),
        (
            (row["fault"], row["endpoint"], row["example_job_id"], str(row["n"]), words.percent(row["share"]))
            for row in faults
        ),
    )


def _errors(endpoints: Sequence[JsonObject]) -> Table:
    return plain_table(
        "\nErrors by class",
        2,
        ("endpoint", "class", "attempts"),
        ((row["endpoint"], kind, str(n)) for row in endpoints for kind, n in row["errors"].items()),
    )
