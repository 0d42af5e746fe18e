"""``harness probe``: what an endpoint supports, with the evidence for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options, probe_list, probe_results
from harness.cli.carry import Terms, carry_out
from harness.conformance.probe import PROFILES
from harness.errors import UsageError
from harness.report.conformance import figures as conformance
from harness.report.conformance import lockfile, matrix
from harness.report.summary import terminal
from harness.report.words import plain
from harness.run import stored
from harness.run.planning.forecast import forecasts
from harness.run.planning.plan import Plan
from harness.run.selecting.selection import Selection
from harness.run.sitting import Sitting
from harness.run.tally import Budget
from harness.types import JsonObject


@click.group(invoke_without_command=True)
@options.endpoints_if_any
@click.option(
    "--profile",
    default="core",
    show_default=True,
    help=f"{', '.join(PROFILES)}, or the ids of probes, with commas between.",
)
@click.option(
    "--lock",
    "lock",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Pin the verdicts in this file; with --check compare with it.",
)
@click.option("--check", is_flag=True, help="Fail (exit code 1) where a verdict is not the one in the lockfile.")
@probe_results.outputs
@options.several(options.sending)
@click.pass_context
def command(
    ctx: click.Context,
    endpoint_names: tuple[str, ...],
    profile: str,
    lock: Path | None,
    check: bool,
    outputs: probe_results.Outputs,
    results: Path,
    providers_file: Path | None,
    seed: int,
    dry_run: bool,
    as_json: bool,
    budget: Budget,
) -> None:
    """Find out what an endpoint supports: every verdict with evidence that anybody can replay.

    \b
    Profiles: smoke (12 requests), core (about 70), full (about 330), disruptive (only on a server of your own).
    Exit codes with --check: 0 nothing drifted, 1 something did, 4 it could not be told.

    \b
    Examples:
      harness probe -e groq/gpt-oss-120b --profile smoke
      harness probe -e local/smollm2 -e mine/llama --profile full --html matrix.html
      harness probe -e mine/llama --lock conformance.lock.yaml            # pin today's verdicts
      harness probe -e mine/llama --lock conformance.lock.yaml --check    # in CI: has anything drifted?
      harness probe show latest tools.required                            # the evidence, and a curl line
      harness probe matrix latest --only-differences
    """
    if ctx.invoked_subcommand is not None:
        return
    if not endpoint_names:
        raise UsageError("probe needs --endpoint PROVIDER/MODEL, or --model NAME", hint="See harness probe --help")
    names = tuple(dict.fromkeys(endpoint_names))
    locked = _read_lock(lock, names) if check else None
    catalogue, providers = catalog.discover(only=("PROBES",)), config.load_providers(providers_file)
    selection = Selection(suite="probe", endpoints=names, probes=profile, seed=seed, max_requests=budget.max_requests)
    again = stored.replanner(catalogue, providers)
    plan = again(selection)
    for line in catalogue.broken:
        click.echo(f"harness: {line}", err=True)
    terms = Terms(
        results,
        providers_file,
        budget,
        dry_run=dry_run,
        as_json=as_json,
    )
    found = _probe(plan, terms, again, outputs)
    # Only now: a run that was broken off, or that reached nobody, pins and proves nothing.
    if lock is not None and found is not None:
        _lock(lock, locked, found)


def _read_lock(path: Path | None, endpoints: Sequence[str]) -> lockfile.Locked:
    """The lockfile, before anything is spent."""
    if path is None:
        raise UsageError("--check needs the file to compare with", hint="Add --lock FILE")
    locked = lockfile.read(path)
    lockfile.refuse_strangers(locked, endpoints)
    return locked


def _probe(plan: Plan, terms: Terms, again: stored.Replan, outputs: probe_results.Outputs) -> JsonObject | None:
    """Carry out the plan and show what was found; None: nothing was sent."""
    told: list[JsonObject] = []

    def tell(sat: Sitting) -> None:
        found = conformance.conformance(terms.results, sat.folder.id)
        told.append(found)
        outputs.write(found)
        if terms.as_json:
            click.echo(json.dumps(found, indent=2, default=str))
        else:
            matrix.show(found, terminal.console())

    if not terms.dry_run:
        _announce(plan)
    carry_out(plan, terms, again, tell=tell)
    return told[0] if told else None


def _announce(plan: Plan) -> None:
    """Say what is about to be spent."""
    total = sum(1 for _ in plan.jobs)
    costs = [one.cost_max_usd for one in forecasts(plan, {})]
    spent = f"at most {sum(cost for cost in costs if cost is not None):.4f} USD"
    told = spent if None not in costs else "the cost is not known (no price)"
    click.echo(f"{len(plan.probes)} probes, {total} requests, {told}; those that accuse are sent again", err=True)


def _lock(path: Path, locked: lockfile.Locked | None, found: JsonObject) -> None:
    """Write the lockfile, or hold the run against it."""
    notes = terminal.console(stderr=True)
    if locked is None:
        lockfile.write(path, found)
        notes.print(f"Locked: {path}", highlight=False, markup=False, soft_wrap=True)
        return
    found_changes = lockfile.compare(locked, found)
    for change in found_changes:
        now = f"{change.locked or 'not locked'} -> {change.now or 'not asked'}"
        click.echo(plain(f"{change.kind:<6} {change.endpoint}  {change.probe}: {now}  ({change.reason})"), err=True)
    drifted = sum(change.kind == "drift" for change in found_changes)
    unsure = sum(change.kind == "unsure" for change in found_changes)
    if drifted:
        click.echo(f"harness: {drifted} verdicts drifted from {path}. Accept one by editing its line there", err=True)
        sys.exit(1)
    if unsure:
        click.echo(f"harness: {unsure} verdicts could not be told today; nothing else drifted from {path}", err=True)
        sys.exit(4)
    notes.print(f"Nothing drifted from {path}", highlight=False, markup=False, soft_wrap=True)


for one in (
    probe_list.list_all,
    probe_results.show,
    probe_results.matrix_of,
    probe_results.diff,
    probe_results.rejudge,
):
    command.add_command(one)
