"""``harness suite``: what suites there are, and running one."""

from __future__ import annotations

import json

import click

from harness import catalog
from harness.cli import options, run, tables
from harness.errors import ConfigError
from harness.types import JsonObject, Suite


@click.group()
def command() -> None:
    """List, show and run suites: yours in ./tasks/suites and the shipped ones.

    \b
    Examples:
      harness suite list
      harness suite show nightly
      harness suite run nightly -e mine/llama
    """


@command.command("list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List every suite; one that cannot be read is told, and the others go on."""
    found = catalog.discover_suites()
    rows = []
    for name in found.suites:
        try:
            rows.append(shown(found.suite(name)))
        except ConfigError as error:
            click.echo(f"harness: {error}", err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = ("name", "tasks", "probes", "loads", "gate", "description")
    told = [row | {"gate": None if row["gate"] is None else "yes"} for row in rows]
    tables.show(columns, [[_short(row[column]) for column in columns] for row in told])
    for name, used, unused in found.shadowed:
        click.echo(f"{name}: {used} is used, {unused} is not")


@command.command()
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """Show what the suite NAME, or the suite in a YAML file, holds; `harness suite run NAME --dry-run` counts it."""
    row = shown(catalog.discover_suites().suite(name))
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    for key, value in row.items():
        click.echo(f"{key:12} {_plain(value)}")


def shown(suite: Suite) -> JsonObject:
    """What a suite holds, as it is printed."""
    names = ("name", "description", "tasks", "repeats", "probes", "loads", "endpoints", "judges", "gate")
    values = {name: getattr(suite, name) for name in names}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {**plain, "loads": dict(suite.loads), "file": str(suite.file)}


def _short(value: object) -> object:
    """How many there are; of none, nothing."""
    return len(value) or None if isinstance(value, list | dict) else value


def _plain(value: object) -> object:
    if isinstance(value, dict):
        told = (f"{name} ({_options(said)})" if said else name for name, said in value.items())
        return ", ".join(told) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else value


def _options(said: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in said.items()) if isinstance(said, dict) else str(said)


command.add_command(run.command, "run")
