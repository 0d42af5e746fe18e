"""How sure one run is of its own figure: what its requests, questions or blocks say, and nothing of other nights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from harness.report.nights.metrics import NightlyMetric, Reading
from harness.stats.intervals import Interval, wilson
from harness.stats.means import mean_of, student_interval
from harness.stats.percentiles import percentile
from harness.store.query import rows
from harness.types import JsonObject

_FEWEST_BLOCKS = 3
_QUESTIONS = """
select run_id, endpoint, kind, task, cluster, mean_score, count(*) as n from question_scores
where list_contains($runs, run_id) and n_scored > 0 group by all order by all
"""
Key = tuple[str, str, str]
"""(run, endpoint, stage)."""


def intervals(results: Path, metric: NightlyMetric, found: Sequence[Reading]) -> Mapping[Key, Interval]:
    """The 95 % interval of each reading, where it can be given.

    Of a load in blocks Student's over the blocks. Else of a percentile that of its requests in time order, which is
    wider where neighbours are alike (``harness.stats.serial``); of a share Wilson's; of a mean score the report's.
    Rates and costs have none within a run.

    Errors: as ``rows``.
    """
    told: dict[Key, Interval] = {}
    for one in found:
        if len(one.blocks) >= _FEWEST_BLOCKS:
            told[_key(one)] = _of_blocks(metric, one)
        elif one.count is not None:
            told[_key(one)] = wilson(one.count.of, one.count.n)
    left = [one for one in found if one.value is not None and _key(one) not in told]
    if metric.sample is not None:
        told |= _of_requests(results, metric, left)
    elif metric.unit == "score":
        told |= _of_questions(results, left)
    return told


def _key(one: Reading) -> Key:
    return one.run_id, one.endpoint, one.stage


def _of_blocks(metric: NightlyMetric, one: Reading) -> Interval:
    values = [value for value in one.block_values if value is not None and metric.comparable(value)]
    if len(values) < _FEWEST_BLOCKS:
        return Interval(None, None)
    placed = [math.log(value) for value in values] if metric.scale == "ratio" else values
    found = student_interval(fmean(placed), stdev(placed) / math.sqrt(len(placed)), len(placed) - 1)
    if found.low is None or found.high is None or metric.scale == "difference":
        return found
    return Interval(math.exp(found.low), math.exp(found.high))


def _of_requests(results: Path, metric: NightlyMetric, found: Sequence[Reading]) -> dict[Key, Interval]:
    sample = metric.sample
    if sample is None or not found:
        return {}
    query = (
        # Those of one moment in any order that stays the same; a number is sorted in half the time of a name.
        f"select run_id, endpoint, stage, list({sample.column} order by started_at, hash(job_id), number) as each "  # noqa: S608 - our own names
        "from attempt_metrics where kind = 'load' and phase = 'measure' and ok "
        f"and {sample.column} is not null and list_contains($runs, run_id) group by all"
    )
    wanted = {_key(one) for one in found}
    told = {}
    for row in rows(results, query, {"runs": sorted({one.run_id for one in found})}):
        key = (row["run_id"], row["endpoint"], row["stage"])
        if key in wanted:
            read = percentile(row["each"], sample.q)
            told[key] = Interval(read.low, read.high)
    return told


def _of_questions(results: Path, found: Sequence[Reading]) -> dict[Key, Interval]:
    """All runs at once: a query for each would take most of the time of a trend."""
    scores: dict[Key, list[JsonObject]] = defaultdict(list)
    for row in rows(results, _QUESTIONS, {"runs": sorted({one.run_id for one in found})}) if found else ():
        scores[row["run_id"], row["endpoint"], f"{row['kind']}.{row['task']}"] += [row] * row["n"]
    told = {}
    for one in found:
        own = scores[_key(one)]
        mean = mean_of([row["mean_score"] for row in own], [row["cluster"] for row in own])
        told[_key(one)] = Interval(mean.low, mean.high)
    return told
