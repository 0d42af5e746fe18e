"""What ``--dry-run`` prints: what a plan will take of each endpoint, without sending anything."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import tables
from harness.report import words
from harness.report.summary.adapted import lines as adapted_lines
from harness.run.planning.disk import size
from harness.run.planning.foretold import foretold
from harness.run.planning.plan import Plan
from harness.types import JsonObject

_BASES = {"earlier runs": "about {}", "limits": "at least {}, by its limits", "arrivals": "{}", "unknown": "unknown"}


def show(plan: Plan, results: Path, *, as_json: bool, more: JsonObject | None = None) -> None:
    """Print stages and endpoints of a plan, as a table or as JSON, which has ``more`` as well.

    Times are those of earlier runs in ``results``; where there are none they are not known, and that is what is said.
    """
    found = foretold(plan, results)
    if as_json:
        click.echo(json.dumps(found | (more or {}), indent=2))
        return
    for line in (*found["files"], *adapted_lines(found["adapted"])):
        click.echo(line)
    for stage in found["stages"]:
        click.echo(f"{stage['requests']:>6}  {stage['stage']}")
    click.echo(f"{found['requests']:>6}  requests in all; nothing was sent")
    asked = found["endpoints"]
    tables.show(
        ["endpoint", "requests", "prompt tokens, about", "output tokens, at most", "USD, at most", "time"],
        [_row(one) for one in asked],
    )
    if len(asked) > 1:
        whole_s = found["time_s"]
        click.echo(f"all together: {_clock(whole_s)}" if whole_s is not None else "all together: time unknown")
    room = found["disk_bytes"]
    most = f"; {size(room['most'])} with answers as long as they may be" if room["most"] > room["likely"] else ""
    click.echo(f"the record takes {size(room['likely'])} on disk {room['words']}{most}")
    if None in found["cost_ceiling_usd"].values():
        click.echo("no ceiling of the cost: no price is known, or a request sets no cap on its tokens")


def _row(one: JsonObject) -> list[object]:
    output = "no cap" if one["output_tokens_max"] is None else one["output_tokens_max"]
    usd = "unknown" if one["cost_max_usd"] is None else words.cost(one["cost_max_usd"])
    time = "unknown" if one["time_s"] is None else _BASES[one["time_basis"]].format(_clock(one["time_s"]))
    return [one["endpoint"], one["requests"], one["prompt_tokens"], output, usd, time]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{round(seconds) % 60:02d} min" if seconds >= 100 else f"{seconds:.1f} s"
