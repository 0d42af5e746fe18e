"""Carrying out a plan from the command line, and telling how that ended."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from harness import request
from harness.cli.asked import told
from harness.cli.progress import Progress
from harness.errors import CannotMeasure, UsageError
from harness.folder import results_option
from harness.prices import price_of
from harness.report import terminal, whole
from harness.report.judging import silent
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.plan import Plan
from harness.run.stored import Replan
from harness.run.tally import Budget


@dataclass(frozen=True, slots=True)
class Terms:
    """What every command that sends something lets the user say."""

    results: Path
    providers_file: Path | None
    budget: Budget
    dry_run: bool
    as_json: bool
    workers: int = 1
    calibrate: bool | None = None
    scrape: bool = True


def new_nonce() -> str:
    """A text that no earlier run has put before its prompts."""
    return secrets.token_hex(4)


Tell = Callable[[sitting.Sitting], None]
"""Prints what came of a sitting."""


def carry_out(plan: Plan, terms: Terms, again: Replan | None = None, *, tell: Tell | None = None) -> None:
    """Carry out a plan, print its tables (or what ``tell`` prints), and end with the exit code of how it ended."""
    if terms.dry_run:
        _print_plan(plan, as_json=terms.as_json)
        return
    if terms.budget.max_cost_usd is not None:
        _refuse_unpriced(plan)
    with Progress(terminal.console(stderr=True)) as progress:
        company = Company(
            progress,
            terms.budget,
            progress.announce,
            judging=progress.judging,
            workers=terms.workers,
            providers_file=terms.providers_file,
            calibrate=terms.calibrate,
            scrape=terms.scrape,
        )
        sat = sitting.start(plan, results=terms.results, company=company, again=again)
    finish(sat, terms.results, as_json=terms.as_json, tell=tell)


def finish(sat: sitting.Sitting, results: Path, *, as_json: bool, tell: Tell | None = None) -> None:
    """Print how a sitting ended: the tables, where the results are, and what can be done next.

    Raises:
        CannotMeasure: all that the run ever sent has failed.
    """
    if tell is None:
        whole.show(results, sat.folder, terminal.console(), as_json=as_json)
    notes = terminal.console(stderr=True)
    notes.print(f"Results: {sat.folder.root}", highlight=False, soft_wrap=True)
    if tell is not None:
        tell(sat)
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
    ceiling = {name: ceiling_usd(plan, name) for name in plan.endpoints}
    total = sum(1 for _ in plan.jobs)
    files = [told(plan.tasks[one.name]) for one in plan.selection.files]
    if as_json:
        shown = {"requests": total, "stages": stages, "cost_ceiling_usd": ceiling, "files": files}
        click.echo(json.dumps(shown, indent=2))
        return
    for line in files:
        click.echo(line)
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


def ceiling_usd(plan: Plan, endpoint: str) -> float | None:
    """Cost if each answer used its whole allowance, each byte were a token, and none were retried; None: not known.

    A prompt that will hold answers counts them by their allowance.
    """
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
        to_come = sum(request.allowance(one) or 0 for one in plan.to_come(job))
        total += (len(asked.body or b"") + to_come) * price.input_usd_per_mtok + allowed * price.output_usd_per_mtok
    return total / 1e6
