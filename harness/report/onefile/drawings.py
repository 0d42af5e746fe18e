"""The charts of a run and of several, each with the table of what it draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report import words
from harness.report.charts import decided, load_curves
from harness.report.charts.across import Point, across
from harness.report.charts.distributions import overlay
from harness.report.charts.intervals import task_scores
from harness.report.charts.levels import level_name
from harness.report.charts.marks import Marks
from harness.report.decision.told import amount, limits, share
from harness.report.decision.whole import Decision, Wishes
from harness.report.document import Chart, Grid, grid
from harness.types import JsonObject

_QUANTILES = ("p50", "p95")
_AXES = {True: "requests at once", False: "requests per second, offered"}
_MOST_TASKS = 12
"""Tasks whose scores are drawn; the table has all."""


def fronts(decision: Decision, names: Sequence[str], marks: Marks) -> Iterator[Chart]:
    """Who is worth looking at, in three pairs of measures; pairs that nobody has both of are left out."""
    for front in decided.fronts(decision, names, marks):
        if front.figure is None:
            continue
        across_, up, missing = front.across, front.up, front.missing
        yield Chart(
            front.title,
            front.figure,
            f"{front.title}, with 95 % intervals",
            grid(
                f"{front.title} [95 % intervals]",
                1,
                ("endpoint", up.title, across_.title),
                (
                    (name, amount(up.values[name]), amount(across_.values[name]))
                    for name in names
                    if name not in missing
                ),
            ),
            (
                "Grey: another one is at least as good in both, by the estimates.",
                *((f"Not drawn: {', '.join(missing)}; {front.takes}.",) if missing else ()),
            ),
        )


def inside(decision: Decision, wishes: Wishes, marks: Marks) -> Iterator[Chart]:
    """The share of requests inside the limits, where there was a load."""
    names = [] if decision.inside is None else list(decision.inside.ranks)
    known = {name: one.share for name, one in decision.shares.items() if one.share is not None}
    counts = {name: one.n for name, one in decision.shares.items()}
    figure = decided.inside(decision, wishes, marks)
    if figure is not None:
        yield Chart(
            f"Requests inside {limits(wishes.limits)}",
            figure,
            f"Share of requests of each endpoint inside {limits(wishes.limits)}",
            grid(
                f"Requests inside {limits(wishes.limits)} [95 % intervals]",
                1,
                ("endpoint", "inside", "n", "failed"),
                ((name, share(known[name]), str(counts[name]), str(decision.shares[name].failed)) for name in names),
            ),
            (f"A failed request is outside. The dashed line: {100 * wishes.target:g} %.",),
        )


def scores(tasks: Sequence[JsonObject], marks: Marks) -> Iterator[Chart]:
    """The scores of each task."""
    for task in list(dict.fromkeys(row["task"] for row in tasks))[:_MOST_TASKS]:
        own = [row for row in tasks if row["task"] == task]
        figure = task_scores(own, marks)
        if figure is not None:
            title = f"Scores of {task}"
            table = grid(
                f"{title} [95 % intervals]",
                1,
                ("endpoint", "score"),
                ((row["endpoint"], words.score(row)) for row in own),
            )
            yield Chart(title, figure, f"{title} with 95 % intervals, an endpoint a line", table)


def levels(report: JsonObject, marks: Marks) -> Iterator[Chart]:
    """Times, throughput, goodput and failures against the load, of each load."""
    series: dict[tuple[str, bool], list[JsonObject]] = {}
    for row in report["levels"]:
        series.setdefault((row["task"], row["closed"]), []).append(row)
    for (task, closed), own in series.items():
        axis = "concurrency" if closed else "rate"
        full = [row for row in report["saturation"] if row["axis"] == axis]
        look = load_curves.Look(marks, _AXES[closed], saturation=full)
        failed, n = sum(row["n_failed"] for row in own), sum(row["n"] for row in own)
        note = f"{failed} of {n} requests failed; they have no times, and are the bars at the bottom."
        weak = [
            f"{q}: not enough data at {few} of {len(own)} levels."
            for q in _QUANTILES
            if (
                few := sum(
                    not load_curves.can_stand(row["times"][load_curves.time_of(row, "e2e")][q], q) for row in own
                )
            )
        ]
        times, speed = load_curves.latency(own, _QUANTILES, look), load_curves.throughput(own, look)
        if times is not None:
            says = f"Percentiles of TTFT, ITL and E2E of {task} by load, and failed requests"
            yield Chart(f"{task}: latency by {axis}", times, says, _times(task, own), (*weak, note))
        if speed is not None:
            says = f"Tokens and good requests per second of {task} by load, and failed requests"
            notes = (*(() if times is not None else weak), "Faint: all answers; strong: those within the objectives.")
            yield Chart(f"{task}: throughput by {axis}", speed, says, _speeds(task, own), notes)


def _weak(own: Sequence[JsonObject], q: str) -> int:
    """Levels at which too few requests lie beyond a percentile."""
    return sum(not load_curves.can_stand(row["times"][load_curves.time_of(row, "e2e")][q], q) for row in own)


def _times(task: str, own: Sequence[JsonObject]) -> Grid:
    def cell(row: JsonObject, name: str, q: str) -> str:
        of = row["times"][load_curves.time_of(row, name)][q]
        return words.spread(of["value"], (of["low"], of["high"])) if load_curves.can_stand(of, q) else "not enough data"

    columns = [f"{title} {q}, ms" for title in ("TTFT", "ITL", "E2E") for q in _QUANTILES]
    return grid(
        f"{task}: latency by level [95 % intervals]",
        2,
        ("level", "endpoint", *columns, "n answered", "failed"),
        (
            (
                level_name(row["stage"]),
                row["endpoint"],
                *(cell(row, name, q) for name in ("ttft", "tpot", "e2e") for q in _QUANTILES),
                str(row["n_ok"]),
                str(row["n_failed"]),
            )
            for row in own
        ),
    )


def _speeds(task: str, own: Sequence[JsonObject]) -> Grid:
    def attained(row: JsonObject) -> str:
        if row["slo_attainment"] is None:
            return words.NOTHING
        low, high = 100 * row["slo_attainment_low"], 100 * row["slo_attainment_high"]
        return f"{words.percent(row['slo_attainment'])} [{low:.0f}–{high:.0f}]"

    return grid(
        f"{task}: throughput by level [95 % intervals]",
        2,
        ("level", "endpoint", "tokens/s, all users", "answered/s", "good/s", "within objectives", "n", "failed"),
        (
            (
                level_name(row["stage"]),
                row["endpoint"],
                words.number(
                    row["output_tokens_per_s"] if row["window_tokens_per_s"] is None else row["window_tokens_per_s"], 1
                ),
                words.number(row["ok_per_s"], 2),
                words.number(row["goodput_per_s"], 2),
                attained(row),
                str(row["n"]),
                str(row["n_failed"]),
            )
            for row in own
        ),
    )


def spread(found: JsonObject, sides: Sequence[tuple[str, str]], stage: str, marks: Marks) -> Iterator[Chart]:
    """How a time is spread on both sides of a comparison; ``sides``: name and endpoint of A and B."""
    title = "TTFT since plan" if "sched" in found["metric"] else "TTFT"
    figure = overlay(found, sides, title, marks)
    if figure is None:
        return
    told = []
    for (name, _), side in zip(sides, found["sides"], strict=True):
        curve, n = side["curve"], str(side["n"])
        # The share is of all that were asked: a failed request never comes.
        at = [next((value for value, reached in curve if reached >= q), None) for q in (0.5, 0.9)]
        told.append((name, *(words.number(value, 1) for value in at), n, str(side["n_failed"])))
    yield Chart(
        f"{title} in {stage.removeprefix('load.')}",
        figure,
        f"Share of requests that have come within so many ms, {title}, of both sides",
        grid(
            f"{title} of those asked of both",
            1,
            ("side", "half within, ms", "nine of ten within, ms", "n answered", "failed"),
            told,
        ),
        ("A failed request never comes: its curve ends below 100 %.",),
    )


def over_runs(summaries: Sequence[JsonObject], marks: Marks) -> Iterator[Chart]:
    """How a measure went from run to run, in the order in which the runs were made."""
    ordered = sorted(summaries, key=lambda summary: str(summary["run"]["created_at"]))
    measures = (
        ("Quality", "quality, % right", [*_qualities(ordered)]),
        ("TTFT p50", "TTFT p50, ms", [*_times_of_runs(ordered)]),
    )
    for name, title, points in measures:
        figure = across(points, title, marks, percent=name == "Quality")
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
                    (one.run, one.endpoint, words.spread(one.value, (one.low, one.high)), str(one.n or words.NOTHING))
                    for one in points
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


def _times_of_runs(summaries: Sequence[JsonObject]) -> Iterator[Point]:
    for summary in summaries:
        for row in summary["endpoints"]:
            low, high = row["ttft_p50_interval_ms"]
            name = run_name(summary["run"])
            yield Point(name, row["endpoint"], row.get("ttft_p50_ms"), low, high, row.get("ttft_n"))
