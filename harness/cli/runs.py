"""``harness runs``: what has been measured."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options, tables
from harness.record.folder import list_runs, no_runs, open_run
from harness.store import overview


@click.group()
def command() -> None:
    """List and show runs.

    \b
    Examples:
      harness runs list
      harness runs show latest
    """


@command.command(name="list")
@options.results
@options.as_json
def list_(results: Path, as_json: bool) -> None:
    """List the runs, oldest first, from their folders; a running one is listed too.

    \b
    Example:
      harness runs list
    """
    rows = [overview.of_folder(run) for run in list_runs(results)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(no_runs(results))
        return
    columns = ["run_id", "status", "suite", "planned", "endpoints", "problem"]
    tables.show(columns, [[_words(row[name]) for name in columns] for row in rows])


@command.command()
@click.argument("run", default="latest")
@options.results
@options.as_json
def show(run: str, results: Path, as_json: bool) -> None:
    """Show one RUN (its id, the start of it, or latest): what it is and what came of it.

    \b
    Example:
      harness runs show latest
    """
    folder = open_run(results, run)
    about = overview.of_folder(folder)
    found = overview.of_database(results, folder.id)
    if as_json:
        click.echo(json.dumps(about | found, indent=2, default=str))
        return
    tables.show(["what", "value"], [(name, _words(value)) for name, value in about.items() if value is not None])
    for name, rows in found.items():
        if rows:
            click.echo(f"\n{name}")
            tables.show(list(rows[0]), [list(row.values()) for row in rows])


def _words(value: object) -> object:
    """A list of names as one cell."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value
