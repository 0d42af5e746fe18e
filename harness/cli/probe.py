"""``harness probe``: what is asked to find out what an endpoint supports."""

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
from harness.types import Endpoint, JsonObject, Provider

_EXAMPLE = Endpoint(Provider("example", "hosted", "https://example.invalid/v1"), "model", "MODEL")
"""Gives the request of a scenario its shape; nothing is ever sent to it."""


@click.group()
def command() -> None:
    """Show the probes: what is asked to find out what an endpoint supports, and what counts as a pass.

    \b
    Examples:
      harness probe list --profile smoke
      harness probe show tools.required
    """


@command.command("list")
@click.option("--profile", default="all", show_default=True, help="Only the probes of this profile.")
@options.as_json
def list_all(profile: str, as_json: bool) -> None:
    """List the probes of a profile; one request can feed several of them."""
    probes = select(discover().probes.values(), profile)
    if as_json:
        click.echo(json.dumps([_row(probe) for probe in probes], indent=2))
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


@command.command()
@click.argument("probe_id", metavar="ID")
@options.as_json
def show(probe_id: str, as_json: bool) -> None:
    """Show one probe by ID: what it sends, what counts as a pass, and where that is written down."""
    probe: Probe = discover().probe(probe_id)
    row = _row(probe) | {"sends": [_request(scenario) for scenario in probe.sees]}
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    for key in ("id", "rev", "title", "criterion", "severity", "basis", "ability", "needs", "spec", "profiles"):
        value = row[key]
        click.echo(f"{key:10} {', '.join(value) or '-' if isinstance(value, list) else value}")
    for sent in row["sends"]:
        click.echo(f"\n{sent['scenario']}: {sent['title']}\n{sent['method']} {sent['path']}")
        if sent["body"] is not None:
            click.echo(sent["body"])


def _row(probe: Probe) -> JsonObject:
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
        "profiles": list(probe.profile),
        "requests": [scenario.name for scenario in probe.sees],
    }


def _request(scenario: Scenario) -> JsonObject:
    request = scenario.build(_EXAMPLE, 0)
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "repeats": scenario.repeats,
        "method": request.method,
        "path": request.path,
        "body": None if request.body is None else request.body.decode(errors="replace"),
    }


def _cost(probes: Iterable[Probe]) -> int:
    return sum(scenario.repeats for scenario in scenarios_of(probes))
