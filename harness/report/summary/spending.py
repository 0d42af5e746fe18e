"""What quality and tool tasks cost, and what a right answer did: the same figures for the table and for ``--json``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from harness.report import words
from harness.report.document import Grid, grid
from harness.stats.ratio import ratio_of_means
from harness.store.query import rows
from harness.types import JsonObject


def spending(results: Path, run: str, names: Sequence[str]) -> list[JsonObject]:
    """A row for each task and endpoint, endpoints in the order of ``names``: the columns of view ``cost_summary``.

    ``usd_per_right_low`` and ``usd_per_right_high`` are the 95 % bounds of ``usd_per_right``, over items; None: the
    cost is not known, or so few were right that there is no bound.
    """
    by_item: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
    asked = "select endpoint, task, sample, cost_usd, value from item_cost where run_id = ? order by all"
    for item in rows(results, asked, [run]):
        by_item[item["endpoint"], item["task"]].append(item)
    query = (
        "select * exclude (run_id) from cost_summary where run_id = ? order by kind, task, list_position(?, endpoint)"
    )
    return [row | _bounds(by_item[row["endpoint"], row["task"]]) for row in rows(results, query, [run, list(names)])]


def _bounds(items: Sequence[JsonObject]) -> JsonObject:
    """Repeats of one sample are one item of their mean: they are no independent looks at it."""
    by_sample: dict[str, list[JsonObject]] = defaultdict(list)
    for item in items:
        by_sample[item["sample"]].append(item)
    low = high = None
    if items and all(item["cost_usd"] is not None for item in items):
        costs = [sum(one["cost_usd"] for one in same) / len(same) for same in by_sample.values()]
        right = [sum(one["value"] == 1 for one in same) / len(same) for same in by_sample.values()]
        _, low, high = ratio_of_means(costs, right)
    return {"usd_per_right_low": low, "usd_per_right_high": high}


def table(found: Sequence[JsonObject]) -> Grid | None:
    """The table of what was spent, where that is known; None: nowhere, which the overview says already."""
    known = [row for row in found if row["total_usd"]]
    if not known:
        return None
    columns = ("task", "endpoint", "paid by", "USD", "per item", "per right answer", "per million chars", "per Mtok")
    return grid(
        "Cost of the tasks [95 % intervals]",
        3,
        columns,
        (
            (
                row["task"],
                row["endpoint"],
                row["basis"] or words.NOTHING,
                words.cost(row["total_usd"]),
                words.cost(row["usd_per_item"]),
                per_right(row),
                words.cost(row["usd_per_mchar"]),
                words.cost(row["usd_per_mtok"]),
            )
            for row in known
        ),
    )


def per_right(row: JsonObject) -> str:
    """What a right answer cost with its interval, or why there is no such figure."""
    if row["usd_per_right"] is None:
        if row["total_usd"] is None:
            return "unknown"
        return "none right" if row["scored_n"] else "none scored"
    low, high = (
        "?" if bound is None else words.cost(bound) for bound in (row["usd_per_right_low"], row["usd_per_right_high"])
    )
    return f"{words.cost(row['usd_per_right'])} [{low}–{high}]"
