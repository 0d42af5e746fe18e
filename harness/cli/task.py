"""``harness task``: make a task of your own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.catalog import discover
from harness.errors import UsageError
from harness.prompts import new as files


@click.group()
def command() -> None:
    """Make a task of your own; harness tasks lists and shows them.

    \b
    Example:
      harness task new colours
    """


@command.command()
@click.argument("name")
@click.option("--tools", is_flag=True, help="A tool task: tools, and the calls that are right.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="Fit it to the columns of this data file, which is copied.",
)
def new(name: str, tools: bool, source: Path | None) -> None:
    """Write tasks/quality/NAME.py (or tasks/tools) and its data file, ready to run; nothing is overwritten.

    \b
    Examples:
      harness task new colours
      harness task new lamps --tools
      harness task new mine --from my.jsonl
    """
    there = discover()
    if name in there.tasks:
        file = os.path.relpath(there.files["task", name])
        raise UsageError(f"there is a task {name!r} already: {file}", hint="Take another name")
    made = files.write(Path("tasks"), name, tools=tools, source=source)
    click.echo(f"Written: {made.task} and {made.data}")
    click.echo(f"Look at it: harness tasks show {name}")
    click.echo(f"Run it: harness eval {name} --endpoint steady-vendor/sim-small")
