"""Levels that follow from what was measured: a search for the highest load that meets its objectives, or a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from harness.exchange import OUR_DOING
from harness.record.folder import RunFolder
from harness.run.planning.plan import Plan, levels
from harness.run.planning.stages import stage_name
from harness.run.selecting.selection import Level, Search
from harness.run.stored import Replan, lengthen
from harness.stats.saturation import LevelPoint, saturated
from harness.stats.search import Tried, next_level, result
from harness.stats.slo import FAILED, Attainment, Objective, attainment, fewest, parse, together
from harness.store import alone
from harness.types import JsonObject

_MARGIN = 1.5
"""A level asks so many times the fewest requests that could show its objectives met: some will miss a limit."""
_FEWEST = 20
_METRICS = {
    "ttft": "ttft_ms",
    "ttft_sched": "ttft_sched_ms",
    "ttfvt": "ttfvt_ms",
    "tpot": "tpot_ms",
    "itl_max": "chunk_gap_max_ms",
    "e2e": "e2e_ms",
    "e2e_sched": "e2e_sched_ms",
}
"""Metric of an objective -> column of ``attempt_metrics``."""


def requests_for(objectives: Sequence[Objective]) -> int:
    """Requests of a level, enough to show the objectives met where nearly all requests keep them."""
    return max(_FEWEST, math.ceil(_MARGIN * fewest(objectives)))


def onward(folder: RunFolder, plan: Plan, again: Replan) -> Plan | None:
    """The plan with the next level of the first endpoint that still needs one; None: none does.

    ``plan`` is the plan so far. The level is written into the folder before anything of it is asked.
    """
    search = plan.selection.search
    if search is None:
        return None
    for endpoint in plan.tested:
        level = (
            _next_of_sweep(folder, plan, search, endpoint) if search.sweep else _next(folder, plan, search, endpoint)
        )
        if level is not None:
            return lengthen(folder, replace(plan.selection, decided=(*plan.selection.decided, level)), again)
    return None


def found(folder: RunFolder, plan: Plan) -> list[JsonObject]:
    """What was found for each endpoint: the levels with their verdicts, and the highest load or the saturation."""
    search = plan.selection.search
    assert search is not None
    return [
        {"endpoint": endpoint, "axis": search.axis}
        | (_swept(folder, plan, endpoint) if search.sweep else _searched(folder, plan, endpoint))
        for endpoint in plan.tested
    ]


# --- search ----------------------------------------------------------------------------------------------


class _Seen(NamedTuple):
    tried: Tried
    kept: list[tuple[Objective, Attainment]]


def _next(folder: RunFolder, plan: Plan, search: Search, endpoint: str) -> Level | None:
    probe = next_level(
        [one.tried for one in _seen(folder, plan, endpoint)],
        low=search.low,
        high=search.high,
        whole=search.axis == "concurrency",
        resolution=search.resolution,
    )
    if probe is None:
        return None
    base = plan.selection.changes.requests or requests_for(parse(plan.selection.changes.slo or ""))
    return Level(endpoint, probe.level, probe.repeat, base * 2**probe.repeat)


def _searched(folder: RunFolder, plan: Plan, endpoint: str) -> JsonObject:
    seen = _seen(folder, plan, endpoint)
    outcome = result([one.tried for one in seen])
    return {
        "slo": plan.selection.changes.slo,
        "best": outcome.best,
        "missed": outcome.missed,
        "reason": outcome.reason,
        "notes": list(outcome.notes),
        "levels": [
            {
                **one.tried._asdict(),
                "objectives": [{"text": each.text, **kept._asdict()} for each, kept in one.kept],
            }
            for one in seen
        ],
    }


def _seen(folder: RunFolder, plan: Plan, endpoint: str) -> list[_Seen]:
    """The levels of an endpoint that are through, in their order, with how each objective was kept.

    A level that was asked again counts with all its requests, those of its earlier tries among them.
    """
    objectives = parse(plan.selection.changes.slo or "")
    decided = _decided(plan, endpoint)
    by_stage: dict[str, list[JsonObject]] = {}
    query = (
        "select * from attempt_metrics where endpoint = ? and kind = 'load' and phase = 'measure' "
        "and not list_contains(?, coalesce(failure_kind, ''))"
    )
    for row in alone.ask(folder, query, [endpoint, sorted(OUR_DOING)]) if decided else ():
        by_stage.setdefault(row["stage"], []).append(row)
    rows: dict[float, list[JsonObject]] = {}
    seen = []
    for level, stage in decided:
        so_far = rows.setdefault(level.at, [])
        so_far += by_stage.get(stage, [])
        kept = [(one, attainment(one, [_value(row, one) for row in so_far])) for one in objectives]
        seen.append(_Seen(Tried(level.at, together(each.verdict for _, each in kept), len(so_far)), kept))
    return seen


def _value(row: Mapping[str, Any], objective: Objective) -> float | None:
    if not row["ok"]:
        return FAILED
    return None if objective.quantile is None else row[_METRICS[objective.metric]]


def _decided(plan: Plan, endpoint: str) -> list[tuple[Level, str]]:
    """The levels of an endpoint with the names of their stages."""
    load = next(iter(plan.loads.values()))
    steps = zip(plan.selection.decided, levels(load, plan.selection), strict=True)
    return [(level, stage_name(load, step)) for level, step in steps if level.endpoint == endpoint]


# --- sweep -----------------------------------------------------------------------------------------------


def _next_of_sweep(folder: RunFolder, plan: Plan, search: Search, endpoint: str) -> Level | None:
    done = len(_decided(plan, endpoint))
    if done == len(search.sweep) or saturated(_points(folder, plan, endpoint)) is not None:
        return None
    load = next(iter(plan.loads.values()))
    return Level(endpoint, search.sweep[done], 0, load.requests_per_level or _FEWEST)


def _swept(folder: RunFolder, plan: Plan, endpoint: str) -> JsonObject:
    points = _points(folder, plan, endpoint)
    full = saturated(points)
    search = plan.selection.search
    assert search is not None
    left = list(search.sweep[len(_decided(plan, endpoint)) :])
    return {
        "levels": [point._asdict() for point in points],
        "saturation": full._asdict() if full is not None else None,
        "left_out": left,
    }


def _points(folder: RunFolder, plan: Plan, endpoint: str) -> list[LevelPoint]:
    decided = _decided(plan, endpoint)
    query = (
        "select stage, n_ok / nullif(window_s, 0) as ended, e2e_sched_p50_ms as latency "
        "from load_summary where endpoint = ?"
    )
    rows = {row["stage"]: row for row in alone.ask(folder, query, [endpoint])} if decided else {}
    return [
        LevelPoint(level.at, rows[stage]["ended"], rows[stage]["latency"])
        for level, stage in decided
        if stage in rows and None not in (rows[stage]["ended"], rows[stage]["latency"])
    ]
