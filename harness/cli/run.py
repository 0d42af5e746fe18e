"""``harness run``: a suite on endpoints."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from harness import catalog, config, request
from harness.cli import options
from harness.cli.progress import Progress
from harness.errors import CannotMeasure, UsageError
from harness.folder import results_option
from harness.prices import price_of
from harness.report import terminal
from harness.report.summary import summarise
from harness.run import sitting
from harness.run.plan import Plan, Selection, make
from harness.run.runner import Budget


@click.command()
@click.argument("suite")
@options.endpoints
@options.results
@options.providers
@options.seed
@options.max_cost
@options.max_requests
@options.max_duration
@options.dry_run
@options.as_json
def command(
    suite: str,
    endpoint_names: tuple[str, ...],
    results: Path,
    providers_file: Path | None,
    seed: int,
    max_cost: float | None,
    max_requests: int | None,
    max_duration: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a SUITE of tasks, probes and loads on one or more endpoints, and compare them.

    \b
    Examples:
      harness run demo --endpoint groq/llama-3.3-70b --endpoint openrouter/meta-llama/llama-3.3-70b-instruct
      harness run demo -e local/smollm2 --dry-run
    """
    found = catalog.discover().suite(suite)
    selection = Selection(
        suite=found.name,
        endpoints=endpoint_names,
        tasks=found.tasks,
        probes=found.probes,
        loads=found.loads,
        seed=seed,
        max_requests=max_requests,
    )
    carry_out(selection, results, providers_file, Budget(max_cost, max_duration), dry_run=dry_run, as_json=as_json)


def carry_out(
    selection: Selection, results: Path, providers_file: Path | None, budget: Budget, *, dry_run: bool, as_json: bool
) -> None:
    """Plan and run a selection, print its table, and end with the exit code of how it ended."""
    found = catalog.discover()
    providers = config.load_providers(providers_file)
    plan = make(selection, found, [config.endpoint(providers, name) for name in dict.fromkeys(selection.endpoints)])
    if dry_run:
        _print_plan(plan, as_json=as_json)
        return
    if budget.max_cost_usd is not None:
        _refuse_unpriced(plan)
    with Progress(terminal.console(stderr=True)) as progress:
        sat = sitting.start(plan, results=results, watcher=progress, budget=budget, announce=progress.announce)
    finish(sat, results, as_json=as_json)


def finish(sat: sitting.Sitting, results: Path, *, as_json: bool) -> None:
    """Print how a sitting ended: the table, where the results are, and what can be done next.

    Raises:
        CannotMeasure: all that the run ever sent has failed.
    """
    summary = summarise(results, sat.folder.root.name)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        terminal.show(summary, terminal.console())
    notes = terminal.console(stderr=True)
    notes.print(f"Results: {sat.folder.root}", highlight=False, soft_wrap=True)
    if sat.status == "finished":
        if sat.barren is not None:
            why = f"most often with {sat.barren.kind} ({sat.barren.detail})"
            raise CannotMeasure(
                f"nothing could be measured: every request failed, {why}", hint="See harness providers check"
            )
        me, where = _called(), results_option(results)
        notes.print(f"In the browser: {me} dashboard{where}", highlight=False, soft_wrap=True)
        query = "select endpoint, quality_mean, ttft_p50_ms, cost_usd from endpoint_summary"
        notes.print(f'In numbers: {me} sql "{query}"{where}', highlight=False, soft_wrap=True)
        return
    why = sat.tally.stopped or "interrupted"
    again = f"{_called()} resume {sat.folder.id}{results_option(results)}"
    click.echo(f"harness: {why}; what was there is sealed. Go on with: {again}", err=True)
    sys.exit(130)


def _called() -> str:
    """How this program can be called from where the user stands."""
    if shutil.which("harness") or not sys.argv[0].endswith("harness"):
        return "harness"
    return min(os.path.relpath(sys.argv[0]), str(Path(sys.argv[0]).absolute()), key=len)


def _refuse_unpriced(plan: Plan) -> None:
    """A bound that cannot be kept is no bound: refuse ``--max-cost`` where a vendor's price is not known."""
    for name, endpoint in plan.endpoints.items():
        price = price_of(endpoint)
        known = price is not None and None not in (price.input_usd_per_mtok, price.output_usd_per_mtok)
        if endpoint.provider.kind in ("hosted", "gateway") and not known:
            raise UsageError(
                f"--max-cost cannot be kept: the price of {name} is not known",
                hint=f"Add prices: to {endpoint.provider.id} in your providers.yaml, or use --max-requests",
            )


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    stages = [
        {"stage": stage.name, "requests": sum(map(len, stage.lanes)), "law": stage.law.label} for stage in plan.stages
    ]
    ceiling = {name: _ceiling_usd(plan, name) for name in plan.endpoints}
    total = sum(1 for _ in plan.jobs)
    if as_json:
        click.echo(json.dumps({"requests": total, "stages": stages, "cost_ceiling_usd": ceiling}, indent=2))
        return
    for stage in stages:
        click.echo(f"{stage['requests']:>6}  {stage['stage']}")
    click.echo(f"{total:>6}  requests in all; nothing was sent")
    for name, usd in ceiling.items():
        click.echo(
            f"{name}: "
            + (
                f"at most {usd:.4f} USD"
                if usd is not None
                else "no ceiling (no price, or a request without a cap on its tokens)"
            )
        )


def _ceiling_usd(plan: Plan, endpoint: str) -> float | None:
    """Cost if each answer used its whole allowance, each byte were a token, and none were retried; None: not known."""
    price = price_of(plan.endpoints[endpoint])
    if price is None or price.input_usd_per_mtok is None or price.output_usd_per_mtok is None:
        return None
    total = 0.0
    for job in plan.jobs:
        if job.endpoint != endpoint:
            continue
        asked = plan.request(job)
        allowed = request.allowance(asked)
        if allowed is None:
            return None
        total += len(asked.body or b"") * price.input_usd_per_mtok + allowed * price.output_usd_per_mtok
    return total / 1e6
