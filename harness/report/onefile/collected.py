"""What a report of one or several runs rests on, asked of the store in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from harness.errors import UsageError
from harness.record.folder import RunFolder
from harness.report.charts.marks import Marks
from harness.report.comparison.distributions import distributions
from harness.report.comparison.figures import compared
from harness.report.comparison.sides import Side, pairs_of
from harness.report.conformance.figures import conformance
from harness.report.decision.whole import Decision, Recorded, Wishes, decide, loads_of, recorded
from harness.report.load.figures import load_report
from harness.report.load.validity import validity
from harness.report.summary.figures import summarise
from harness.store.gathered import gathered
from harness.store.query import held, rows
from harness.types import JsonObject

_VIEWS = (
    *("attempt_metrics", "load_summary", "endpoint_summary", "quality_summary", "feature_matrix", "error_summary"),
    *("contract_faults", "run_health", "item_cost", "cost_summary", "request_summary", "identities"),
    *("question_scores", "answers", "judge_summary", "judged_pairs", "judgements", "server_times"),
    *("load_attempts", "conformance_score", "server_summary", "client_summary", "rate_limits", "attempt_lag"),
)
"""What the reports below read of a run."""
_WORTH_GATHERING = 3
"""Runs from which on it is quicker to ask once for all."""
_WORTH_SHARING, _AT_ONCE = 8, 2
"""Runs from which on two threads ask, and how many threads: the database answers without Python's lock."""
_PAIRED = 4
"""Runs that are each compared with the first one; of more, the last alone: nobody reads more."""


WISHES = Wishes()
"""Weights, limits and volumes of the verdicts; the dashboard has others at choice."""


class Collected(NamedTuple):
    """One run."""

    folder: RunFolder
    summary: JsonObject
    load: JsonObject | None
    """As ``harness.report.load.figures`` gives it; None: it had no load."""
    conformance: JsonObject | None
    """As ``harness.report.conformance.figures`` gives it; None: it had no probes."""
    decision: tuple[Recorded, Decision] | None
    """What follows for whoever has the wishes of nobody in particular; None: no endpoint was asked."""
    problem: str | None
    """What of its data is missing; None: nothing."""
    said: tuple[JsonObject, ...]
    """Requests and answers; empty: they were not asked for, or none were kept."""


class Spread(NamedTuple):
    """The times of what two endpoints were both asked in one stage."""

    a: str
    b: str
    stage: str
    found: JsonObject
    """As ``harness.report.comparison.distributions`` gives it, of TTFT."""


class Against(NamedTuple):
    """A later run against the first one."""

    before: str
    after: str
    found: JsonObject | None
    """As ``harness.report.comparison.figures`` gives it; None: nothing of them can be compared."""
    why: str
    """Why not; empty: they can."""
    spreads: tuple[Spread, ...] = ()


class All(NamedTuple):
    """Everything that a report shows."""

    runs: tuple[Collected, ...]
    against: tuple[Against, ...]
    marks: Marks


def collect(results: Path, folders: Sequence[RunFolder], *, margin: float | None = None, said_each: int = 0) -> All:
    """Everything about these runs; ``said_each`` answers of each task and endpoint, those that went wrong first.

    Errors: as ``harness.report.summary.figures.summarise``.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        shares = [folders[at::_AT_ONCE] for at in range(_AT_ONCE)] if len(folders) >= _WORTH_SHARING else [folders]
        told = pool.map(lambda some: _some(results, some, margin, said_each), shares)
        by_run = {one.folder.id: one for some in told for one in some}
    with held(results):
        marks = {row["endpoint"]: row["mark"] for row in rows(results, "from endpoint_marks")}
        others = folders[1:] if len(folders) <= _PAIRED else folders[-1:]
        against = tuple(_against(results, folders[0], other) for other in others)
    return All(tuple(by_run[folder.id] for folder in folders), against, defaultdict(int, marks))


def _some(results: Path, folders: Sequence[RunFolder], margin: float | None, said_each: int) -> list[Collected]:
    """Some of the runs, by a database of this thread's own."""
    names = [folder.id for folder in folders]
    with gathered(results, names, _VIEWS) if len(names) >= _WORTH_GATHERING else held(results):
        return [_one(results, folder, margin, said_each) for folder in folders]


def _one(results: Path, folder: RunFolder, margin: float | None, said_each: int) -> Collected:
    manifest = folder.read_manifest()
    summary = summarise(results, folder.id, margin=margin)
    load = None
    if summary["loads"]:
        judged = validity(results, folder, summary["loads"])
        load = load_report(results, folder.id, summary=summary, validity=judged, search=manifest.get("search"))
    problem = rows(results, "select problem from runs where run_id = ?", [folder.id])
    return Collected(
        folder,
        summary,
        load,
        conformance(results, folder.id) if manifest.get("probes") else None,
        _decided(results, summary),
        problem[0]["problem"] if problem else "it is not in the database; harness db rebuild takes it in",
        tuple(rows(results, _SAID, {"run": folder.id, "most": said_each})) if said_each else (),
    )


def _decided(results: Path, summary: JsonObject) -> tuple[Recorded, Decision] | None:
    if not summary["endpoints"]:
        return None
    load = next(iter(loads_of(summary)), None)
    found = recorded(results, summary, load, WISHES.limits)
    return found, decide(summary, found, WISHES)


def _against(results: Path, first: RunFolder, other: RunFolder) -> Against:
    try:
        pairs = pairs_of(results, first.id, other.id, other.id)
        found = compared(results, pairs)
    except UsageError as error:
        return Against(first.id, other.id, None, error.what)
    whys = dict.fromkeys(row["why"] for pair in found["pairs"] for row in pair["not_compared"])
    if not any(pair["groups"] for pair in found["pairs"]):
        return Against(first.id, other.id, None, "; ".join(whys) or "neither was asked a task or a load")
    return Against(first.id, other.id, found, "", tuple(_spreads(results, pairs, found)))


def _spreads(results: Path, pairs: Sequence[tuple[Side, Side]], found: JsonObject) -> Iterator[Spread]:
    """Of each of the first pairs, in the stage that tells most."""
    for (a, b), pair in list(zip(pairs, found["pairs"], strict=True))[:_PAIRED]:
        timed = [group for group in pair["groups"] if not group["no_times"]]
        if timed:
            stage = max(timed, key=lambda group: group["counts"]["pairs"])["stage"]
            times = distributions(results, a, b, stage, "TTFT")
            if times is not None:
                yield Spread(a.endpoint, b.endpoint, stage, times)


_SAID = """
select a.endpoint, a.task, a.sample, a.repeat, a.turn, t.request_body, t.text, t.tool_calls_json, a.failure_kind,
    a.failure_detail, s.value, s.answer, s.explanation
from attempt_metrics m
join attempts a using (run_id, job_id, number, shard, session)
join texts t using (run_id, job_id, number)
left join scores s on s.run_id = a.run_id and s.job_id = a.job_id
where a.run_id = $run and a.kind in ('quality', 'tools') and m.last_attempt
qualify row_number() over (
    partition by a.endpoint, a.task order by coalesce(s.value, -1), a.sample, a.repeat, a.turn, a.job_id
) <= $most
order by a.task, a.endpoint, coalesce(s.value, -1), a.sample, a.repeat, a.turn, a.job_id
"""
