"""Carrying out a plan from the command line, and telling how that ended."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from harness.cli import dry_run
from harness.errors import UsageError
from harness.record.folder import results_option
from harness.report import whole
from harness.report.ended import problem_of
from harness.report.progress import Progress
from harness.report.summary import terminal
from harness.report.summary.adapted import lines as adapted_lines
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.planning.adaptations import adaptations
from harness.run.planning.plan import Plan
from harness.run.planning.refused import refuse
from harness.run.stored import Replan
from harness.run.tally import Budget
from harness.run.workers import executors, gathering, handed
from harness.run.workers.executor import Where
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
    made = executors.made(terms.where, terms.providers_file)
    refuse(plan, terms.budget, cache=terms.cache, alone=made is None)
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
    if dataclasses.replace(terms.budget, max_requests=None) != Budget():
        raise UsageError(
            "--max-cost, --max-total-tokens and --max-duration need somebody who counts for all workers",
            hint="Leave them out, or use --executor local or ray",
        )
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
    again = f"{_called()} resume {sat.folder.id}{results_option(results)}"
    if (problem := problem_of(sat, results, again)) is not None:
        raise problem
    if sat.status == "finished":
        me, where = _called(), results_option(results)
        notes.print(f"In the browser: {me} dashboard{where}", highlight=False, soft_wrap=True)
        query = "select endpoint, quality_mean, ttft_p50_ms, cost_usd from endpoint_summary"
        notes.print(f'In numbers: {me} sql "{query}"{where}', highlight=False, soft_wrap=True)
        return
    why = sat.tally.stopped or "interrupted"
    click.echo(f"harness: {why}; what was there is sealed. Go on with: {again}", err=True)
    sys.exit(130)


def _called() -> str:
    """How this program can be called from where the user stands."""
    if shutil.which("harness") or not sys.argv[0].endswith("harness"):
        return "harness"
    return min(os.path.relpath(sys.argv[0]), str(Path(sys.argv[0]).absolute()), key=len)
