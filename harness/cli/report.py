"""``harness report``: the comparison table of a run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options
from harness.report import terminal
from harness.report.summary import summarise


@click.command()
@click.argument("run", default="latest")
@options.results
@click.option(
    "--margin",
    type=options.Amount(),
    default=None,
    metavar="POINTS",
    help="Loss of quality that would matter, in points: verdicts are then worse, not worse, inconclusive.",
)
@options.as_json
def command(run: str, results: Path, margin: float | None, as_json: bool) -> None:
    """Print the comparison of RUN: an id, the beginning of one, or "latest".

    \b
    Examples:
      harness report
      harness report 20261121t1103 --json
      harness report --margin 2
    """
    summary = summarise(results, run, margin=None if margin is None else margin / 100)
    if as_json:
        click.echo(json.dumps(summary, indent=2, default=str))
    else:
        terminal.show(summary, terminal.console())
