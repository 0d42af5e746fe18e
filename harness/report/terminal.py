"""The comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import judging, running, words
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
    for line in running.lines(summary["running"], run["id"]):
        console.print(Text(words.plain(line)), soft_wrap=True)
    if len(summary["tasks"]) > len(summary["endpoints"]):
        console.print(_tasks(summary["tasks"]))
    for line in judging.lines(summary["judging"]):
        console.print(Text(words.plain(line)), soft_wrap=True)
    if summary["loads"]:
        console.print(_loads(summary["loads"]))
    if summary["comparisons"]:
        console.print(_comparisons(summary["comparisons"]))
    if summary["features"]:
        console.print(_features(summary["features"]))
    if summary["contract_faults"]:
        console.print(_broken(summary["contract_faults"]))
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
    columns = (
        "endpoint",
        "quality",
        "tool calls",
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
                words.share(row["quality"]),
                words.share(row["tools"]),
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
        ("task", "endpoint", "right", "no answer"),
        (
            (
                row["task"],
                row["endpoint"],
                words.share(row),
                f"{row['n_failed']} of {row['n_planned']}",
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
        ("metric", "endpoint", "difference", "95 % interval", "n", "could have seen", "verdict"),
        (
            (
                words.METRICS[row["metric"]],
                row["endpoint"],
                words.value(row),
                words.bounds(row),
                str(row["n"]),
                words.could_have_seen(row),
                row["verdict"],
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


def _broken(faults: Sequence[JsonObject]) -> Table:
    return _table(
        "\nReplies that break the contract",
        3,
        ("fault", "endpoint", "example job", "replies", "of all"),
        (
            (row["fault"], row["endpoint"], row["example_job_id"], str(row["n"]), words.percent(row["share"]))
            for row in faults
        ),
    )


def _errors(endpoints: Sequence[JsonObject]) -> Table:
    return _table(
        "\nErrors by class",
        2,
        ("endpoint", "class", "attempts"),
        ((row["endpoint"], kind, str(n)) for row in endpoints for kind, n in row["errors"].items()),
    )
