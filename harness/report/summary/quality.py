"""Quality and tool tasks in numbers: what was scored of what was asked, the mean with its interval, and repeats.

Questions are counted together where they are equal in everything that matters here, so that a task of right and wrong
answers costs a handful of rows however many questions it has.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness.stats.coverage import FLOOR, coverage
from harness.stats.means import mean_of
from harness.stats.repeats import Repeats, Tries, pass_at_k, pass_hat_k, spread
from harness.store.query import rows
from harness.types import JsonObject

KINDS = ("quality", "tools")

Place = tuple[str, str | None, str]
"""(kind, task, endpoint); task None: all tasks of the kind together."""

_QUESTIONS = """
select kind, task, endpoint, cluster, n_asked, n_scored, n_right, mean_score, variance, count(*) as n
from question_scores where run_id = ? and n_asked > 0 group by all order by all
"""
_REASONS = """
select kind, task, endpoint, outcome, reason, count(*) as n from answers
where run_id = ? and outcome in ('failed', 'invalid', 'not judged') group by all order by n desc, reason
"""


class Quality:
    """What a run says of its quality and tool tasks."""

    def __init__(self, results: Path, run: str, seed: int) -> None:
        """Reads the run's questions; ``seed`` is that of whatever is drawn. Errors: as ``rows``."""
        self._seed = seed
        questions = rows(results, _QUESTIONS, [run])
        some_missing = any(row["n_scored"] < row["n_asked"] for row in questions)
        self._questions = _by_place(questions)
        self._reasons = _by_place(rows(results, _REASONS, [run]) if some_missing else [])
        self._measured: dict[Place, JsonObject] = {}

    def measured(self, place: Place) -> JsonObject:
        """The figures of one place; where nothing was asked, no number but 0 of 0.

        Returns:
            ``mean``, ``low`` and ``high`` (the result; None where too little was scored for one), ``standard_error``,
            ``method``, ``binary`` (whether every score is 0 or 1), ``n`` questions, ``clusters``, ``right`` (share of
            exactly right answers), ``n_asked``, ``n_scored``, ``n_not_judged``, ``coverage``, ``enough``,
            ``mean_of_scored``, ``mean_of_asked`` (what has no score counts as wrong), ``at_most`` (it counts as right),
            ``failed`` and ``invalid`` (name -> number). Shares and scores are 0 to 1.
        """
        if place not in self._measured:
            found, reasons = self._questions.get(place, ()), self._reasons.get(place, ())
            self._measured[place] = _figures(found, reasons, self._seed)
        return self._measured[place]

    def repeated(self, place: Place, repeats: int) -> JsonObject | None:
        """What so many repeats show: pass@k, pass^k and the variance split; None: each question was asked once.

        Returns:
            ``repeats``, ``pass_at`` and ``pass_hat`` (for each k from 1 on: ``mean``, ``low``, ``high``, ``n``
            questions with k scored tries of ``questions`` asked, and the ``at_least`` and ``at_most`` of all that was
            asked), ``variance`` (``between`` and ``within`` questions).
        """
        found = self._questions.get(place)
        if found is None or repeats < 2:
            return None
        split = spread([Repeats(row["mean_score"], row["variance"], row["n_scored"]) for row in _each(found)])
        return {
            "repeats": repeats,
            "pass_at": [_at(pass_at_k, found, k, self._seed) for k in range(1, repeats + 1)],
            "pass_hat": [_at(pass_hat_k, found, k, self._seed) for k in range(1, repeats + 1)],
            "variance": split and {"between": split.between, "within": split.within[0]},
        }


def _by_place(found: Iterable[JsonObject]) -> Mapping[Place, list[JsonObject]]:
    """Rows by task, and those of a kind together."""
    places: dict[Place, list[JsonObject]] = defaultdict(list)
    for row in found:
        for task in (row["task"], None):
            places[row["kind"], task, row["endpoint"]].append(row)
    return dict(places)


def _each(found: Iterable[JsonObject]) -> Iterable[JsonObject]:
    """Every question, the equal ones too."""
    return (row for row in found for _ in range(row["n"]))


def _figures(found: Sequence[JsonObject], reasons: Sequence[JsonObject], seed: int) -> JsonObject:
    asked, scored = (sum(row[name] * row["n"] for row in found) for name in ("n_asked", "n_scored"))
    questions = [row for row in _each(found) if row["n_scored"]]
    # Two tasks may name their clusters alike.
    clusters = [row["cluster"] and (row["task"], row["cluster"]) for row in questions]
    mean = mean_of([row["mean_score"] for row in questions], clusters, seed=seed)
    right = mean_of([row["n_right"] / row["n_scored"] for row in questions], clusters, seed=seed)
    covered = coverage(asked, scored, sum(row["mean_score"] * row["n_scored"] for row in questions))
    shown = (mean.mean, mean.low, mean.high) if covered.enough else (None, None, None)
    return {
        **dict(zip(("mean", "low", "high"), shown, strict=True)),
        "standard_error": mean.standard_error,
        "method": mean.method,
        "binary": all(math.isclose(row["n_right"], row["mean_score"] * row["n_scored"]) for row in questions),
        "n": mean.n,
        "clusters": mean.clusters,
        "right": {"share": right.mean, "low": right.low, "high": right.high},
        "n_asked": asked,
        "n_scored": scored,
        "n_not_judged": sum(row["n"] for row in reasons if row["outcome"] == "not judged"),
        "coverage": covered.share,
        "enough": covered.enough,
        "mean_of_scored": mean.mean,
        "mean_of_asked": covered.low,
        "at_most": covered.high,
        "failed": _named(reasons, "failed"),
        "invalid": _named(reasons, "invalid"),
    }


def _named(reasons: Sequence[JsonObject], outcome: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in reasons:
        if row["outcome"] == outcome:
            found[row["reason"]] += row["n"]
    return dict(found)


def _at(estimate: Callable[[Tries, int], float], found: Sequence[JsonObject], k: int, seed: int) -> JsonObject:
    """One k; where some tries have no score the questions are tried unequally often, and ``n`` says how many count."""
    asked = [row for row in _each(found) if row["n_asked"] >= k]
    enough = [row for row in asked if row["n_scored"] >= k]
    scored = [estimate(Tries(row["n_scored"], row["n_right"]), k) for row in enough]
    clusters = [row["cluster"] and (row["task"], row["cluster"]) for row in enough]
    mean = mean_of(scored, clusters, seed=seed)
    least = [estimate(Tries(row["n_asked"], row["n_right"]), k) for row in asked]
    most = [estimate(Tries(row["n_asked"], row["n_right"] + row["n_asked"] - row["n_scored"]), k) for row in asked]
    shown = bool(asked) and len(enough) >= FLOOR * len(asked)
    return {
        "k": k,
        "mean": mean.mean if shown else None,
        "low": mean.low if shown else None,
        "high": mean.high if shown else None,
        "n": len(enough),
        "questions": len(asked),
        "at_least": sum(least) / len(least) if least else None,
        "at_most": sum(most) / len(most) if most else None,
    }
