"""What a plan will take of each endpoint, as plain data, without sending anything."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from harness.errors import StoreError
from harness.run.planning.adaptations import adaptations
from harness.run.planning.disk import room_of
from harness.run.planning.forecast import Durations, forecasts, whole_time_s
from harness.run.planning.plan import Plan
from harness.run.selecting.asked import told
from harness.store import query
from harness.types import JsonObject

_TIMED = """
select endpoint, '' as task, median(e2e_ms) / 1e3 as seconds from attempt_metrics
where ok and e2e_ms is not null and kind <> 'probe' group by all
union all
select endpoint, task, median(e2e_ms) / 1e3 from attempt_metrics where ok and e2e_ms is not null group by all
"""


def foretold(plan: Plan, results: Path) -> JsonObject:
    """What a plan will take.

    Times are those of earlier runs in ``results``; where there are none they are not known.

    Returns:
        ``requests``, ``stages`` (``stage``, ``requests``, ``law``), ``endpoints`` (the fields of ``Forecast``),
        ``cost_ceiling_usd`` by endpoint, ``time_s`` of the whole, ``disk_bytes``, ``files`` (what data files ask, in
        words) and ``adapted`` (what quirks change); None: not known.
    """
    durations = _timed(results)
    found = forecasts(plan, durations)
    room = room_of(plan)
    return {
        "requests": sum(one.requests for one in found),
        "stages": [
            {"stage": stage.name, "requests": sum(map(len, stage.lanes)), "law": stage.law.label}
            for stage in plan.stages
        ],
        "endpoints": [asdict(one) for one in found],
        "cost_ceiling_usd": {one.endpoint: one.cost_max_usd for one in found},
        "time_s": whole_time_s(plan, durations),
        "disk_bytes": {"likely": room.likely, "most": room.most, "words": room.words},
        "files": [told(plan.tasks[one.name]) for one in plan.selection.files],
        "adapted": adaptations(plan),
    }


def _timed(results: Path) -> Durations:
    """How long answers took in earlier runs; nothing where there is no database that can be read."""
    if not query.database_path(results).is_file():
        return {}
    try:
        return {(row["endpoint"], row["task"]): row["seconds"] for row in query.rows(results, _TIMED)}
    except StoreError:  # of another version: the next run makes it anew
        return {}
