"""What ``harness probe`` tells of the probes themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.catalog import discover
from harness.cli import options
from harness.conformance.probe import Probe, select
from harness.conformance.scenario import Scenario, scenarios_of
from harness.provider import Endpoint, Provider
from harness.report.conformance import catalogue
from harness.types import JsonObject

_EXAMPLE = Endpoint(Provider("example", "hosted", "https://example.invalid/v1"), "model", "MODEL")
"""Gives the request of a scenario its shape; nothing is ever sent to it."""


@click.command("list")
@click.option("--profile", default="all", show_default=True, help="Only the probes of this profile.")
@click.option(
    "--markdown", "as_markdown", is_flag=True, help="Print a page with requirement, source and faults of each."
)
@options.as_json
def list_all(profile: str, as_markdown: bool, as_json: bool) -> None:
    """List the probes of a profile; one request can feed several of them.

    \b
    Example:
      harness probe list --profile smoke
    """
    found = discover(only=("PROBES",))
    found.add_plugins("probes")
    probes = select(found.probes.values(), profile)
    if as_markdown:
        click.echo(catalogue.markdown(probes))
        return
    if as_json:
        click.echo(json.dumps([row(probe) for probe in probes], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for column in ("severity", "title", "profiles"):
        table.add_column(column)
    for probe in probes:
        table.add_row(probe.id, probe.severity, escape(probe.title), ", ".join(probe.profile))
    console = Console()
    console.print(table)
    console.print(f"{len(probes)} probes, {_cost(probes)} requests to each endpoint", style="dim")


def show(probe: Probe, *, as_json: bool) -> None:
    """Print what a probe sends, what counts as a pass, and where that is written down."""
    told = row(probe) | {"sends": [_request(scenario) for scenario in scenarios_of([probe])]}
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for key in (
        "id",
        "rev",
        "title",
        "criterion",
        "severity",
        "basis",
        "ability",
        "needs",
        "spec",
        "threads",
        "profiles",
    ):
        value = told[key]
        click.echo(f"{key:10} {', '.join(value) or '-' if isinstance(value, list) else value}")
    click.echo(f"{'caught':10} {', '.join(f'{name} ({word})' for name, word in probe.faults.items()) or '-'}")
    for sent in told["sends"]:
        click.echo(f"\n{sent['scenario']}: {sent['title']}\n{sent['method']} {sent['path']}")
        if sent["body"] is not None:
            click.echo(sent["body"])


def row(probe: Probe) -> JsonObject:
    """A probe as data."""
    return {
        "id": probe.id,
        "rev": probe.rev,
        "title": probe.title,
        "criterion": probe.criterion,
        "surface": probe.surface,
        "severity": probe.severity,
        "basis": probe.basis,
        "ability": probe.ability,
        "needs": list(probe.needs),
        "spec": probe.spec,
        "threads": list(probe.threads),
        "faults": dict(probe.faults),
        "profiles": list(probe.profile),
        "requests": [scenario.name for scenario in probe.sees],
    }


def _request(scenario: Scenario) -> JsonObject:
    request = scenario.build(_EXAMPLE, 0)
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "repeats": scenario.repeats,
        "follows": scenario.follows.name if scenario.follows else None,
        "method": request.method,
        "path": request.path,
        "body": None if request.body is None else request.body.decode(errors="replace"),
    }


def _cost(probes: Iterable[Probe]) -> int:
    return sum(scenario.repeats for scenario in scenarios_of(probes))
