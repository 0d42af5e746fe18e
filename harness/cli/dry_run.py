"""What ``--dry-run`` prints: what a plan will take of each endpoint, without sending anything."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from harness.cli import tables
from harness.cli.asked import told
from harness.errors import StoreError
from harness.report import words
from harness.report.adapted import lines as adapted_lines
from harness.run.adaptations import adaptations
from harness.run.forecast import Durations, Forecast, forecasts, whole_time_s
from harness.run.plan import Plan
from harness.run.room import room_of, size
from harness.store import query
from harness.types import JsonObject

_TIMED = """
select endpoint, '' as task, median(e2e_ms) / 1e3 as seconds from attempt_metrics
where ok and e2e_ms is not null and kind <> 'probe' group by all
union all
select endpoint, task, median(e2e_ms) / 1e3 from attempt_metrics where ok and e2e_ms is not null group by all
"""
_BASES = {"earlier runs": "about {}", "limits": "at least {}, by its limits", "arrivals": "{}", "unknown": "unknown"}


def show(plan: Plan, results: Path, *, as_json: bool, more: JsonObject | None = None) -> None:
    """Print stages and endpoints of a plan, as a table or as JSON, which has ``more`` as well.

    Times are those of earlier runs in ``results``; where there are none they are not known, and that is what is said.
    """
    stages = [
        {"stage": stage.name, "requests": sum(map(len, stage.lanes)), "law": stage.law.label} for stage in plan.stages
    ]
    durations = _timed(results)
    found = forecasts(plan, durations)
    total, whole_s = sum(one.requests for one in found), whole_time_s(plan, durations)
    changed, room = adaptations(plan), room_of(plan)
    files = [told(plan.tasks[one.name]) for one in plan.selection.files]
    if as_json:
        shown = {
            "requests": total,
            "stages": stages,
            "endpoints": [asdict(one) for one in found],
            "cost_ceiling_usd": {one.endpoint: one.cost_max_usd for one in found},
            "time_s": whole_s,
            "disk_bytes": {"likely": room.likely, "most": room.most, "words": room.words},
            "files": files,
            "adapted": changed,
            **(more or {}),
        }
        click.echo(json.dumps(shown, indent=2))
        return
    for line in (*files, *adapted_lines(changed)):
        click.echo(line)
    for stage in stages:
        click.echo(f"{stage['requests']:>6}  {stage['stage']}")
    click.echo(f"{total:>6}  requests in all; nothing was sent")
    tables.show(
        ["endpoint", "requests", "prompt tokens, about", "output tokens, at most", "USD, at most", "time"],
        [_row(one) for one in found],
    )
    if len(found) > 1:
        click.echo(f"all together: {_clock(whole_s)}" if whole_s is not None else "all together: time unknown")
    most = f"; {size(room.most)} with answers as long as they may be" if room.most > room.likely else ""
    click.echo(f"the record takes {size(room.likely)} on disk {room.words}{most}")
    if any(one.cost_max_usd is None for one in found):
        click.echo("no ceiling of the cost: no price is known, or a request sets no cap on its tokens")


def _row(one: Forecast) -> list[object]:
    output = "no cap" if one.output_tokens_max is None else one.output_tokens_max
    usd = "unknown" if one.cost_max_usd is None else words.cost(one.cost_max_usd)
    time = "unknown" if one.time_s is None else _BASES[one.time_basis].format(_clock(one.time_s))
    return [one.endpoint, one.requests, one.prompt_tokens, output, usd, time]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{round(seconds) % 60:02d} min" if seconds >= 100 else f"{seconds:.1f} s"


def _timed(results: Path) -> Durations:
    """How long answers took in earlier runs; nothing where there is no database that can be read."""
    if not query.database_path(results).is_file():
        return {}
    try:
        return {(row["endpoint"], row["task"]): row["seconds"] for row in query.rows(results, _TIMED)}
    except StoreError:  # of another version: the next run makes it anew
        return {}
