"""Questions on which endpoints differ: right to wrong and back, against a baseline of the same or of another run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.report import words
from harness.store.query import rows
from harness.types import JsonObject

Flip = Literal["better", "worse", "same", "not compared"]
WANTED = ("differ", "worse", "better", "all")
"""Which questions are wanted: of which endpoints differ, that some endpoint has worse or better than the baseline."""

_SCORES = """
select sample, endpoint, mean_score, n_scored, n_asked, workload_sha256 from question_scores
where run_id = $run and task = $task and n_asked > 0
order by sample, endpoint
"""
# The last message of the first request is what was asked; an endpoint is as good as another, they were asked the same.
_ASKED = """
select a.sample, left(any_value(coalesce(
    try(t.request_body ->> '$.messages[#-1].content'), try(t.request_body ->> '$.input'))), 200) as asked
from attempts a join texts t using (run_id, job_id, number)
where a.run_id = $run and a.task = $task and a.kind in ('quality', 'tools') and a.turn = 0 and a.repeat = 0
group by a.sample
"""


class Mark(NamedTuple):
    """What one endpoint made of one question, its repeats together."""

    score: float | None
    """0 to 1; None: never scored."""
    n_scored: int
    n_asked: int
    question: str
    """Equal hashes: the same question."""


class Question(NamedTuple):
    """One question of a task."""

    sample: str
    asked: str | None
    """Beginning of its text; None: not kept."""
    baseline: Mark | None
    """None: the baseline was not asked it."""
    marks: Mapping[str, Mark]
    """By endpoint; one that was not asked it has none."""

    def flip(self, endpoint: str) -> Flip:
        """What an endpoint did to this question against the baseline; only the very same question is compared."""
        before, after = self.baseline, self.marks.get(endpoint)
        if before is None or after is None or before.question != after.question:
            return "not compared"
        if before.score is None or after.score is None:
            return "not compared"
        if before.score == after.score:
            return "same"
        return "better" if after.score > before.score else "worse"

    def differs(self, endpoints: Sequence[str]) -> bool:
        """Whether it has different scores, those of the baseline too; what has no score differs from nothing."""
        found = {self.marks[name].score for name in endpoints if name in self.marks}
        found |= {self.baseline.score} if self.baseline else set()
        return len(found - {None}) > 1


def questions(results: Path, run: str, task: str, baseline: tuple[str, str]) -> list[Question]:
    """Every question of a task that was asked in a run.

    Args:
        results: the results folder; both runs must be published.
        run: id of the run.
        task: name of the task.
        baseline: run and endpoint.

    Errors: as ``rows``.
    """
    own, other = _marks(results, run, task), _marks(results, baseline[0], task)
    asked = {row["sample"]: row["asked"] for row in rows(results, _ASKED, {"run": run, "task": task})}
    return [
        Question(sample, asked.get(sample), other.get(sample, {}).get(baseline[1]), marks)
        for sample, marks in own.items()
    ]


def _marks(results: Path, run: str, task: str) -> dict[str, dict[str, Mark]]:
    found: dict[str, dict[str, Mark]] = {}
    for row in rows(results, _SCORES, {"run": run, "task": task}):
        mark = Mark(row["mean_score"], row["n_scored"], row["n_asked"], row["workload_sha256"])
        found.setdefault(row["sample"], {})[row["endpoint"]] = mark
    return found


def totals(found: Sequence[Question], endpoints: Sequence[str]) -> list[JsonObject]:
    """A row for each endpoint: ``better``, ``worse``, ``same`` and ``not compared`` questions, and ``n`` compared."""
    made = []
    for name in endpoints:
        flips = [question.flip(name) for question in found]
        counts = {word: flips.count(word) for word in ("better", "worse", "same", "not compared")}
        made.append({"endpoint": name, **counts, "n": len(flips) - counts["not compared"]})
    return made


def wanted(found: Sequence[Question], endpoints: Sequence[str], which: str) -> list[Question]:
    """The questions that one of ``WANTED`` lets through."""
    if which == "differ":
        return [question for question in found if question.differs(endpoints)]
    if which in ("better", "worse"):
        return [question for question in found if any(question.flip(name) == which for name in endpoints)]
    return list(found)


def said(mark: Mark | None) -> str:
    """A score in words: ``● right``, ``✕ wrong``, ``0.63``, ``0.67 of 3`` repeats, or that there is none."""
    if mark is None:
        return words.NOTHING
    if mark.score is None:
        return "not scored"
    word = {1.0: "● right", 0.0: "✕ wrong"}.get(mark.score, f"{mark.score:.2f}")
    return f"{word} of {mark.n_scored}" if mark.n_asked > 1 else word


def of_task(summary: JsonObject, task: str) -> list[JsonObject]:
    """The comparisons of a summary that are about a task; where it is the only one of its kind, those of the kind."""
    kinds = {row["task"]: row["kind"] for row in summary["tasks"]}
    alone = list(kinds.values()).count(kinds[task]) == 1
    found = (*summary["comparisons"], *summary["other_pairs"])
    return [row for row in found if row["metric"] == kinds[task] and row["task"] == (None if alone else task)]


def tested(own: Sequence[JsonObject], baseline: str, endpoint: str) -> JsonObject | None:
    """What comparisons (as ``of_task``) say of an endpoint against another; None: these two were not compared.

    Where they stand the other way round there, value, bounds and verdict are turned.
    """
    for row in own:
        if (row["baseline"], row["endpoint"]) == (baseline, endpoint):
            return row
        if (row["baseline"], row["endpoint"]) == (endpoint, baseline):
            value, low, high = (None if row[name] is None else -row[name] for name in ("value", "high", "low"))
            word = {"better": "worse", "worse": "better"}.get(row["verdict"], row["verdict"])
            return {**row, "value": value, "low": low, "high": high, "verdict": word}
    return None
