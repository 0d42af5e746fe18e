"""The questions that two endpoints were both asked, in one run or in two: their scores, and which of them failed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.store.query import rows
from harness.types import JsonObject

_SCORES = """
select sample, workload_sha256, cluster, mean_score as value from question_scores
where run_id = $run and endpoint = $endpoint and kind = $kind and task = $task and n_scored > 0
"""
_FAILURES = """
select sample, workload_sha256, any_value(cluster) as cluster, avg((outcome = 'failed')::int) as value from answers
where run_id = $run and endpoint = $endpoint and kind = $kind and task = $task and outcome <> 'not asked'
group by sample, workload_sha256
"""


class Asked(NamedTuple):
    """One endpoint in one run."""

    run: str
    endpoint: str


class Questions(NamedTuple):
    """One value for each question that both have one of, in one order."""

    before: list[float]
    after: list[float]
    clusters: list[str | None]


def scores(results: Path, kind: str, task: str, before: Asked, after: Asked) -> Questions:
    """Mean scores, 0 to 1, of the questions that both have a score for. Errors: as ``rows``."""
    return _shared(results, _SCORES, kind, task, (before, after))


def failures(results: Path, kind: str, task: str, before: Asked, after: Asked) -> Questions:
    """Of the questions that both were asked, the share of times that each failed, 0 to 1. Errors: as ``rows``."""
    return _shared(results, _FAILURES, kind, task, (before, after))


def _shared(results: Path, query: str, kind: str, task: str, sides: tuple[Asked, Asked]) -> Questions:
    first, second = (_of(results, query, kind, task, side) for side in sides)
    shared = [question for question in first if question in second]
    return Questions(
        [first[question]["value"] for question in shared],
        [second[question]["value"] for question in shared],
        [first[question]["cluster"] for question in shared],
    )


def _of(results: Path, query: str, kind: str, task: str, side: Asked) -> dict[tuple[str, str], JsonObject]:
    """By sample and hash: equal hashes, the same question."""
    asked = {**side._asdict(), "kind": kind, "task": task}
    return {(row["sample"], row["workload_sha256"]): row for row in rows(results, query, asked)}
