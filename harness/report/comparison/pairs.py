"""Endpoints against each other: every pair on the questions that both answered, judged as one family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean

from harness.report import words
from harness.report.summary.quality import KINDS, Quality
from harness.stats.coverage import FLOOR
from harness.stats.family import benjamini_hochberg, rank_ranges
from harness.stats.paired import PairedDifference, paired_difference, paired_ratio
from harness.stats.power import planned_error, smallest_detectable_mean
from harness.stats.repeats import Repeats, spread
from harness.stats.verdict import verdict, verdict_of_ratio
from harness.store.query import rows
from harness.types import JsonObject

Prompt = tuple[str, str, int]
"""(stage, sample, repeat): what two endpoints' times are matched by."""
Measures = Mapping[str, Sequence[tuple[Prompt, float]]]
"""TTFT in ms of every good load request with its prompt, by endpoint."""

_FLIPS = 20
"""Flipped questions that are named, each way."""

# Equal questions are questions whose first request is byte for byte the same, but for the model's name and quirks.
_MATCHED = """
from (select * from question_scores where run_id = $run and n_scored > 0) a
join (select * from question_scores where run_id = $run and n_scored > 0) b
    using (kind, task, sample, workload_sha256)
where list_position($names, a.endpoint) < list_position($names, b.endpoint)
"""
_PAIRS = f"""
select kind, task, a.endpoint as baseline, b.endpoint as endpoint, coalesce(a.cluster, b.cluster) as cluster,
    a.mean_score as before, b.mean_score as after, a.n_scored as before_n, b.n_scored as after_n,
    a.variance as before_variance, b.variance as after_variance, count(*) as n
{_MATCHED} group by all order by all
"""
_FLIPPED = f"""
select kind, task, a.endpoint as baseline, b.endpoint as endpoint, sample, a.mean_score > b.mean_score as lost
{_MATCHED} and a.mean_score <> b.mean_score
qualify row_number() over (
    partition by kind, task, a.endpoint, b.endpoint, a.mean_score > b.mean_score order by sample
) <= {_FLIPS}
order by all
"""


def compare(
    results: Path,
    run: str,
    names: Sequence[str],
    quality: Quality,
    measures: Measures,
    *,
    seed: int,
    margin: float | None,
) -> tuple[list[JsonObject], int]:
    """Every comparison of every pair of endpoints in the order of ``names``, and how many p-values were adjusted.

    Args:
        results: the results folder; the run must be published.
        run: its id.
        names: its endpoints; the first is the baseline.
        quality: of the run.
        measures: its times.
        seed: of whatever is drawn.
        margin: loss that would matter, as a share; None: any would.

    Errors: as ``rows``.
    """
    if len(names) < 2:
        return [], 0
    asked = {"run": run, "names": list(names)}
    flips = _by_pair(rows(results, _FLIPPED, asked))
    pairs = _by_pair(rows(results, _PAIRS, asked))
    found: list[JsonObject] = []
    for one, other in combinations(names, 2):
        for kind in KINDS:
            own, flipped = pairs.get((kind, one, other), []), flips.get((kind, one, other), [])
            found += _of_kind(kind, (one, other), own, flipped, quality, seed)
        found += _of_times(one, other, measures)
    tested = [row for row in found if row["p_value"] is not None]
    for row, adjusted in zip(tested, benjamini_hochberg([row["p_value"] for row in tested]), strict=True):
        row["p_adjusted"] = adjusted
    for row in found:
        if row["metric"] in KINDS:
            row["margin"] = margin
            low, high = (None, None) if row["withheld"] else (row["low"], row["high"])
            row["verdict"] = verdict(low, high, row["p_adjusted"], margin)
        else:
            row["verdict"] = verdict_of_ratio(row["low"], row["high"], row["p_adjusted"])
    return found, len(tested)


def _by_pair(found: Sequence[JsonObject]) -> Mapping[tuple[str, str, str], list[JsonObject]]:
    by_pair: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
    for row in found:
        by_pair[row["kind"], row["baseline"], row["endpoint"]].append(row)
    return by_pair


def _of_kind(
    kind: str,
    pair: tuple[str, str],
    own: Sequence[JsonObject],
    flipped: Sequence[JsonObject],
    quality: Quality,
    seed: int,
) -> Iterator[JsonObject]:
    """All tasks of a kind together, then each of several on its own."""
    tasks = list(dict.fromkeys(row["task"] for row in own))
    for task in (None, *tasks) if len(tasks) > 1 else (None,) if tasks else ():
        matched = [row for row in own if task in (None, row["task"])]
        named = [row for row in flipped if task in (None, row["task"])]
        yield _of_task(kind, task, pair, matched, seed) | _withheld(kind, task, pair, matched, quality) | _flips(named)


def _of_task(
    kind: str, task: str | None, pair: tuple[str, str], matched: Sequence[JsonObject], seed: int
) -> JsonObject:
    each = [row for row in matched for _ in range(row["n"])]
    found = paired_difference(
        [row["before"] for row in each],
        [row["after"] for row in each],
        [row["cluster"] and (row["task"], row["cluster"]) for row in each],
        seed=seed,
    )
    return {
        "metric": kind,
        "task": task,
        "baseline": pair[0],
        "endpoint": pair[1],
        "n": found.n,
        "value": found.difference,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "p_adjusted": None,
        "mde": found.mde,
        "test": found.test,
        "method": found.method,
        "standard_error": found.standard_error,
        "clusters": found.clusters,
        "variance": _spread(each),
        "baseline_ahead": found.a_ahead,
        "endpoint_ahead": found.b_ahead,
        **_drawn(found, seed),
    }


def _drawn(found: PairedDifference, seed: int) -> JsonObject:
    bootstrap = None if found.bootstrap is None else list(found.bootstrap)
    return {"bootstrap": bootstrap, "draws": found.draws, "seed": seed if found.draws else None}


def _spread(each: Sequence[JsonObject]) -> JsonObject | None:
    """Variance of the difference between questions and of one try within them; None: asked once.

    With it stands what twice the questions and twice the repeats could have seen.
    """
    sides = [
        [Repeats(row[side], row[f"{side}_variance"], row[f"{side}_n"]) for row in each] for side in ("before", "after")
    ]
    found = spread(*sides)
    if found is None:
        return None
    n, repeats = len(each), fmean(row["before_n"] + row["after_n"] for row in each) / 2
    more = {"mde_of_twice_the_questions": (2 * n, repeats), "mde_of_twice_the_repeats": (n, 2 * repeats)}
    return {
        "between": found.between,
        "within": list(found.within),
        **{
            name: smallest_detectable_mean(planned_error(*found, *planned), planned[0] - 1)
            for name, planned in more.items()
        },
    }


def _withheld(
    kind: str, task: str | None, pair: tuple[str, str], matched: Sequence[JsonObject], quality: Quality
) -> JsonObject:
    """How many questions of each could not be matched, and why no verdict is given; None: one is."""
    measured = {name: quality.measured((kind, task, name)) for name in pair}
    n = sum(row["n"] for row in matched)
    low = [name for name, own in measured.items() if not own["enough"]]
    why = f"fewer than {words.percent(FLOOR)} of what was asked of {' and '.join(low)} could be scored" if low else None
    first, second = (own["n"] - n for own in measured.values())
    return {"baseline_unmatched": first, "endpoint_unmatched": second, "withheld": why}


def _flips(named: Sequence[JsonObject]) -> JsonObject:
    """The first questions that each side won."""
    ids: dict[bool, list[str]] = {True: [], False: []}
    for row in named:
        ids[row["lost"]].append(f"{row['task']}/{row['sample']}")
    return {"baseline_ahead_on": ids[True][:_FLIPS], "endpoint_ahead_on": ids[False][:_FLIPS]}


def _of_times(one: str, other: str, measures: Measures) -> Iterator[JsonObject]:
    first, second = dict(measures.get(one, ())), dict(measures.get(other, ()))
    matched = [prompt for prompt in first if prompt in second]
    if not matched:
        return
    found = paired_ratio([first[prompt] for prompt in matched], [second[prompt] for prompt in matched], blocks=True)
    yield {
        "metric": "ttft_ratio",
        "task": None,
        "baseline": one,
        "endpoint": other,
        "n": found.n,
        "value": found.ratio,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "p_adjusted": None,
        "mde": None,
        "test": "sign test",
        "method": "order statistics",
    }


def ranks(names: Sequence[str], kind: str, comparisons: Sequence[JsonObject]) -> dict[str, JsonObject]:
    """The ranks that each endpoint can have in all tasks of a kind, where three or more were compared; else none."""
    own = [row for row in comparisons if row["metric"] == kind and row["task"] is None]
    ranked = [name for name in names if any(name in (row["baseline"], row["endpoint"]) for row in own)]
    if len(ranked) < 3:
        return {}
    better = []
    for row in own:
        word = "unclear" if row["withheld"] else verdict(row["low"], row["high"], row["p_adjusted"])
        if word != "unclear":
            pair = (row["endpoint"], row["baseline"])
            better.append(pair if word == "better" else pair[::-1])
    return {name: {**found._asdict(), "of": len(ranked)} for name, found in rank_ranges(ranked, better).items()}
