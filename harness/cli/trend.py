"""``harness trend``: nightly figures over all runs, and when they changed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options
from harness.record.folder import no_runs
from harness.report.nights.terminal import show_trend
from harness.report.nights.trend import as_json as told
from harness.report.nights.trend import trend
from harness.report.summary import terminal
from harness.store.query import held


@click.command()
@click.option(
    "--metric", "-m", "metrics", multiple=True, metavar="NAME", help="Metric; repeat it. [default: the main ones]"
)
@click.option("--endpoint", "-e", metavar="PROVIDER/MODEL", help="This endpoint, or all of a provider. [default: all]")
@click.option("--suite", metavar="NAME", help="Runs of this suite alone.")
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", help="The latest N runs of each series. [default: all]"
)
@options.results
@options.as_json
def command(
    metrics: tuple[str, ...],
    endpoint: str | None,
    suite: str | None,
    last: int | None,
    results: Path,
    as_json: bool,
) -> None:
    """Print how the figures of endpoints went from run to run, with change points: date, size and confidence.

    Only runs of one fingerprint stand in one series: the same endpoint, model, workload and class of machine. What
    differs begins a new series, and it is said what differs. A change point is a report, and no gate: the exit code is
    0 with or without them.

    \b
    Examples:
      harness trend
      harness trend --metric ttft_p95_ms --endpoint groq/gpt-oss-120b --last 60
      harness trend --suite nightly --json

    Exit codes: 0 done; 2 a name is not known; 5 results cannot be read.
    """
    with held(results):
        found = trend(results, metrics=metrics, endpoint=endpoint, suite=suite, last=last)
    if as_json:
        click.echo(json.dumps(told(found), indent=2))
    elif not found:
        click.echo(f"nothing to follow: no run has a value of these metrics ({no_runs(results)})")
    else:
        show_trend(found, terminal.console())
