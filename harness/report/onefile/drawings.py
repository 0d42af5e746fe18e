"""The charts of a run, each with the table of what it draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report import words
from harness.report.charts.across import Point, across
from harness.report.charts.levels import level_name, load_levels
from harness.report.charts.marks import Marks
from harness.report.charts.pareto import lacks, quality_against
from harness.report.document import Chart, grid
from harness.types import JsonObject

_AGAINST = (
    ("ttft_p50_ms", "TTFT p50", "ms", "it takes scored answers and a streaming load"),
    ("cost_usd", "cost of this run", "USD", "it takes scored answers, prices, and usage stated for every answer"),
)
_LEVELS = (("ttft_p95_ms", "TTFT p95, ms", 1), ("output_tokens_per_s", "output tokens/s, all users", 1))


def trade_offs(endpoints: Sequence[JsonObject], marks: Marks) -> Iterator[Chart]:
    """Quality against time and against cost, where there are both."""
    for field, title, unit, why in _AGAINST:
        figure = quality_against(endpoints, field, title, unit, marks)
        if figure is None:
            continue
        rows = [row for row in endpoints if not lacks(row, field)]
        missing = [row["endpoint"] for row in endpoints if lacks(row, field)]
        yield Chart(
            f"Quality against {title}",
            figure,
            f"Quality of each endpoint against its {title}",
            grid(
                f"Quality against {title}",
                1,
                ("endpoint", "quality [95 % interval]", f"{title}, {unit}"),
                ((row["endpoint"], words.score(row["quality"]), _placed(row, field)) for row in rows),
            ),
            (f"Not drawn: {', '.join(missing)}; {why}.",) if missing else (),
        )


def _placed(row: JsonObject, field: str) -> str:
    if field.endswith("_ms"):
        return words.spread(row[field], row[field.replace("_ms", "_interval_ms")], row.get("ttft_n"))
    return words.cost(row[field])


def levels(loads: Sequence[JsonObject], marks: Marks) -> Iterator[Chart]:
    """What each level of each load did, where there are levels to compare."""
    names = list(dict.fromkeys(row["endpoint"] for row in loads))
    for task in dict.fromkeys(row["task"] for row in loads):
        own = [row for row in loads if row["task"] == task]
        for field, title, digits in _LEVELS:
            figure = load_levels(own, names, field, title, marks)
            if figure is None:
                continue
            failed = sum(row["n_failed"] for row in own)
            yield Chart(
                f"{task}: {title}",
                figure,
                f"{title} by load level of {task}, a line for each endpoint",
                grid(
                    f"{task}: {title} by level",
                    2,
                    ("level", "endpoint", title, "n answered", "failed"),
                    (
                        (
                            level_name(row["stage"]),
                            row["endpoint"],
                            words.number(row[field], digits),
                            str(row["n_ok"]),
                            str(row["n_failed"]),
                        )
                        for row in own
                    ),
                ),
                (f"{failed} failed requests have no times and are in no point.",) if failed else (),
            )


def over_runs(summaries: Sequence[JsonObject], marks: Marks) -> Iterator[Chart]:
    """How a measure went from run to run, in the order in which the runs were made."""
    ordered = sorted(summaries, key=lambda summary: str(summary["run"]["created_at"]))
    measures = (
        ("quality", "quality, % right", [*_qualities(ordered)]),
        ("TTFT p50", "TTFT p50, ms", [*_times(ordered)]),
    )
    for name, title, points in measures:
        figure = across(points, title, marks, percent=name == "quality")
        if figure is None:
            continue
        yield Chart(
            f"{name} from run to run",
            figure,
            f"{title}, run by run, a line for each endpoint",
            grid(
                f"{name} from run to run [95 % intervals]",
                2,
                ("run", "endpoint", title, "n"),
                (
                    (p.run, p.endpoint, words.spread(p.value, (p.low, p.high)), str(p.n or words.NOTHING))
                    for p in points
                ),
            ),
            ("Runs may have asked different things; only what is paired below was asked alike.",),
        )


def run_name(run: JsonObject) -> str:
    """How a run is called where there is little room: when it was made, to the second, and what tells it apart."""
    return f"{str(run['created_at'] or '')[5:19].replace('T', ' ')} {run['id'].rpartition('-')[2]}".strip()


def _qualities(summaries: Sequence[JsonObject]) -> Iterator[Point]:
    for summary in summaries:
        for row in summary["endpoints"]:
            found = row["quality"] or {}
            mean, low, high = (_hundred(found.get(name)) for name in ("mean", "low", "high"))
            yield Point(run_name(summary["run"]), row["endpoint"], mean, low, high, found.get("n_scored"))


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _times(summaries: Sequence[JsonObject]) -> Iterator[Point]:
    for summary in summaries:
        for row in summary["endpoints"]:
            low, high = row["ttft_p50_interval_ms"]
            yield Point(run_name(summary["run"]), row["endpoint"], row.get("ttft_p50_ms"), low, high, row.get("ttft_n"))
