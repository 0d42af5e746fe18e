"""``harness compare``: one endpoint against another, pair by pair."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options
from harness.errors import UsageError
from harness.report.comparison.figures import Alike, compared
from harness.report.comparison.sides import pairs_of
from harness.report.comparison.terminal import show_compared
from harness.report.summary import terminal
from harness.store.query import held

_REASONS = 3
"""Reasons that one line tells."""


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--run", default="latest", show_default=True, help="Run in which A and B are looked for.")
@click.option(
    "--same-within",
    default=0.0,
    metavar="PERCENT",
    type=click.FloatRange(0, 50),
    help="Call a difference the same whose whole interval lies within this; of failures and quality within a fifth of "
    "it in points, half a point at least.",
)
@options.results
@options.as_json
def command(a: str, b: str, run: str, same_within: float, results: Path, as_json: bool) -> None:
    """Print what B adds to A: TTFT, ITL, E2E, tokens per second, failures, tokens, cost and quality, paired.

    A and B are each an endpoint of the run (PROVIDER/MODEL, or PROVIDER where it has one model there), RUN:ENDPOINT,
    or a RUN: its one endpoint, or those that two runs have in common. Only the same questions, asked in the same way,
    are compared; what is not compared is said with its reason.

    \b
    Examples:
      harness load chat -e direct/llama -e gateway/llama --paired --concurrency 4
      harness compare direct gateway
      harness compare local/smollm2 local/smollm2-q4 --run 20261121t1103
      harness compare 20261120t0900:gateway 20261121t1103:gateway --same-within 5

    Exit codes: 0 done; 2 nothing of the two can be compared, or a name is not known; 5 results cannot be read.
    """
    pairs = pairs_of(results, a, b, run)
    with held(results):
        found = compared(results, pairs, Alike.within(same_within))
    if not any(pair["groups"] for pair in found["pairs"]):
        whys = dict.fromkeys(f"{row['stage']}: {row['why']}" for pair in found["pairs"] for row in pair["not_compared"])
        why = "; ".join(list(whys)[:_REASONS]) or "neither was asked a task or a load"
        raise UsageError(f"nothing of {a} and {b} can be compared: {why}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show_compared(found, terminal.console())
