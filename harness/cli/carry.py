"""Carrying out a plan from the command line, and telling how that ended."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from harness.cli import dry_run
from harness.cli.progress import Progress
from harness.errors import CannotMeasure, EngineError, UsageError
from harness.folder import results_option
from harness.prices import price_of
from harness.report import partly, terminal, whole
from harness.report.adapted import lines as adapted_lines
from harness.report.judging import silent
from harness.run import executors, gathering, handed, sitting
from harness.run.adaptations import adaptations
from harness.run.conduct import Company
from harness.run.executor import Where
from harness.run.plan import Plan
from harness.run.stored import Replan
from harness.run.tally import Budget
from harness.store import texts


@dataclass(frozen=True, slots=True)
class Terms:
    """What every command that sends something lets the user say."""

    results: Path
    providers_file: Path | None
    budget: Budget
    dry_run: bool
    as_json: bool
    where: Where = field(default_factory=Where)
    calibrate: bool | None = None
    scrape: bool = True
    cache: bool = False


def new_nonce() -> str:
    """A text that no earlier run has put before its prompts."""
    return secrets.token_hex(4)


Tell = Callable[[sitting.Sitting], None]
"""Prints what came of a sitting."""


def carry_out(plan: Plan, terms: Terms, again: Replan | None = None, *, tell: Tell | None = None) -> None:
    """Carry out a plan, print its tables (or what ``tell`` prints), and end with the exit code of how it ended."""
    if terms.dry_run:
        dry_run.show(plan, terms.results, as_json=terms.as_json)
        return
    if terms.where.kind == "hand":
        hand_out(plan, terms)
        return
    finish(sit(plan, terms, again), terms.results, as_json=terms.as_json, tell=tell)


def sit(plan: Plan, terms: Terms, again: Replan | None = None) -> sitting.Sitting:
    """Carry out a plan, with its progress on stderr; how it ended is for ``finish`` to tell."""
    if terms.cache and plan.selection.store_text != "all":
        raise UsageError(
            f"--cache keeps every answer, and --store-text {plan.selection.store_text} does not", hint="Leave one out"
        )
    if terms.budget.max_cost_usd is not None:
        _refuse_unpriced(plan)
    made = executors.made(terms.where, terms.providers_file)
    if made is not None and terms.cache:
        raise UsageError("--cache goes with one process", hint="Leave out --workers and --executor")
    for line in adapted_lines(adaptations(plan)):
        click.echo(line, err=True)
    with Progress(terminal.console(stderr=True)) as progress:
        for name, endpoint in plan.endpoints.items():
            if terms.cache and endpoint.provider.serve is not None:
                progress.told(
                    f"{name}: --cache has no answers of a server that is started for one run; it is asked anew"
                )
        company = Company(
            progress,
            terms.budget,
            progress.announce,
            judging=progress.judging,
            workers=terms.where.processes,
            executor=made,
            providers_file=terms.providers_file,
            calibrate=terms.calibrate,
            scrape=terms.scrape,
            cache=terms.cache,
        )
        return sitting.start(plan, results=terms.results, company=company, again=again)


def hand_out(plan: Plan, terms: Terms) -> None:
    """Write the folder of a run that others carry out, and print what each of them is told."""
    if terms.budget.max_cost_usd is not None or terms.budget.max_tokens is not None:
        raise UsageError("--max-cost and --max-total-tokens need somebody who counts for all workers")
    folder = handed.write(plan, terms.results, terms.providers_file)
    place = terms.where.out or str(folder.root.absolute())
    gathering.noted(folder, place)
    starts = [
        handed.Start(str(folder.root.absolute()), terms.where.processes, place, n) for n in range(terms.where.processes)
    ]
    ending = ["harness", "gather", folder.id, "--follow"]
    gather = f"{shlex.join(ending)}{results_option(terms.results)}"
    if terms.as_json:
        commands = [start.argv() for start in starts]
        told = {"run": folder.id, "folder": str(folder.root), "workers": commands, "gather": gather}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{sum(1 for _ in plan.jobs)} requests are planned in {folder.root}; nothing was sent.")
    click.echo("Start, wherever the folder can be reached (docs/scale.md):\n")
    for start in starts:
        click.echo(f"  {shlex.join(start.argv())}")
    click.echo(f"\nand here, to look on and to make one run of them:\n\n  {gather}")


def finish(sat: sitting.Sitting, results: Path, *, as_json: bool, tell: Tell | None = None) -> None:
    """Print how a sitting ended: the tables, where the results are, and what can be done next.

    Raises:
        CannotMeasure: all that the run ever sent has failed, or a server that was started for it ended by itself.
    """
    if tell is None:
        whole.show(results, sat.folder, terminal.console(), as_json=as_json)
    notes = terminal.console(stderr=True)
    notes.print(f"Results: {sat.folder.root}", highlight=False, soft_wrap=True)
    if tell is not None:
        tell(sat)
    if (kept := sat.folder.read_manifest()["selection"].get("store_text", "all")) != "all":
        notes.print(texts.consequence(kept, done=sat.status == "finished"), highlight=False, soft_wrap=True)
    if sat.status == "finished":
        _refuse_silent_judge(sat, results)
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
    if sat.status == "partial":
        raise CannotMeasure(
            f"the run is partial: {partly.told(sat.folder.read_manifest())}; what was journalled is sealed",
            hint=f"Go on with: {again}",
        )
    if sat.crashed is not None:
        raise EngineError(f"{sat.crashed}; what was there is sealed", hint=f"Go on with: {again}")
    click.echo(f"harness: {why}; what was there is sealed. Go on with: {again}", err=True)
    sys.exit(130)


def _refuse_silent_judge(sat: sitting.Sitting, results: Path) -> None:
    if not sat.folder.read_manifest().get("judges") or (row := silent(results, sat.folder.id)) is None:
        return
    again = f"{_called()} resume {sat.folder.id}{results_option(results)}"
    raise CannotMeasure(
        f"judge {row['judge']} answered none of its {row['n']} requests, most often {row['failure_kind']}; "
        "the answers are kept",
        hint=f"See harness providers check, then ask it again: {again}",
    )


def _called() -> str:
    """How this program can be called from where the user stands."""
    if shutil.which("harness") or not sys.argv[0].endswith("harness"):
        return "harness"
    return min(os.path.relpath(sys.argv[0]), str(Path(sys.argv[0]).absolute()), key=len)


def _refuse_unpriced(plan: Plan) -> None:
    """A bound that cannot be kept is no bound: refuse ``--max-cost`` where a vendor's price is not known.

    A server that is paid by the hour costs by the time it takes, whatever is asked: the bound is then one of time.
    """
    for name, endpoint in plan.endpoints.items():
        if (hourly := endpoint.provider.usd_per_hour) is not None:
            raise UsageError(
                f"--max-cost cannot be kept: {name} is paid by the hour",
                hint=f"Use --max-duration SECONDS; an hour of it costs {hourly:g} USD",
            )
        price = price_of(endpoint)
        known = price is not None and None not in (price.input_usd_per_mtok, price.output_usd_per_mtok)
        if endpoint.provider.kind in ("hosted", "gateway") and not known:
            raise UsageError(
                f"--max-cost cannot be kept: the price of {name} is not known",
                hint=f"Add prices: to {endpoint.provider.id} in your providers.yaml, or use --max-requests",
            )
