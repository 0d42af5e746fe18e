"""The comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import words
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
    console.print(Text(words.plain(f"{run['suite']}  run {run['id']}  {run['status']}"), style="bold"))
    console.print(_overview(summary["endpoints"]))
    for line in (f"Measured with {words.health(summary['health'])}", *words.concerns(summary["health"])):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if summary["tasks"]:
        console.print(_tasks(summary["tasks"]))
        if any(row["n_asked"] and not row["enough"] for row in summary["tasks"]):
            console.print(Text(words.TOO_LITTLE, style="dim"), soft_wrap=True)
    repeated = [row for row in summary["tasks"] if row["repeats"]]
    if repeated:
        console.print(_repeats(repeated))
    if summary["loads"]:
        console.print(_loads(summary["loads"]))
    if summary["comparisons"]:
        console.print(_comparisons(summary["comparisons"]))
        for line in words.rules(summary):
            console.print(Text(line, style="dim"), soft_wrap=True)
    if summary["features"]:
        console.print(_features(summary["features"]))
    failing = [row for row in summary["endpoints"] if row["errors"]]
    if failing:
        console.print(_errors(failing))


def _table(title: str, words_first: int, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table: the first columns hold words and stand left, the others hold numbers and stand right."""
    table = Table(
        title=Text(words.plain(title)),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
    )
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < words_first else "right", overflow="fold")
    for row in rows:
        # What a server or a model wrote must not be read as markup, nor move the cursor.
        table.add_row(*(Text(words.plain(cell)) for cell in row))
    return table


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
    return _table(
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
    return _table(
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
    return _table(
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
    return _table(
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
    return _table(
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
    return _table(
        "\nFeatures not fully supported",
        4,
        ("probe", "endpoint", "verdict", "why"),
        ((row["probe"], row["endpoint"], row["verdict"], row["reason"]) for row in features),
    )


def _errors(endpoints: Sequence[JsonObject]) -> Table:
    return _table(
        "\nErrors by class",
        2,
        ("endpoint", "class", "attempts"),
        ((row["endpoint"], kind, str(n)) for row in endpoints for kind, n in row["errors"].items()),
    )
