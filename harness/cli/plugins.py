"""``harness plugins``: what installed packages add."""

from __future__ import annotations

import json

import click

from harness.cli import options, tables
from harness.report.plugged import plugged


@click.command()
@options.as_json
def command(as_json: bool) -> None:
    """List what installed packages add (tasks, probes, engines, report formats...), and whether it loads.

    How a package adds one: docs/plugins.md.

    \b
    Examples:
      harness plugins
      harness plugins --json
    """
    found = plugged()
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found], indent=2))
        return
    if not found:
        click.echo("no installed package adds anything")
        return
    tables.show(
        ("group", "name", "package", "usable"),
        [(one.group, one.name, one.package, "no" if one.problem else "yes") for one in found],
    )
    for one in found:
        if one.problem:
            click.echo(f"harness: {one.problem}", err=True)
