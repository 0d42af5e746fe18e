"""``harness db``: the results database, which is derived from the run folders."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options, tables
from harness.errors import StoreError, UnknownName
from harness.store import query
from harness.store.index import publish


@click.group()
def command() -> None:
    """Rebuild and describe the results database.

    \b
    Examples:
      harness db rebuild
      harness db schema endpoint_summary
    """


@command.command()
@options.results
@options.as_json
def rebuild(results: Path, as_json: bool) -> None:
    """Make harness.duckdb anew from every run folder; runs that cannot be read are named and left out.

    \b
    Example:
      harness db rebuild
    """
    if not results.is_dir():
        raise StoreError(f"{results} does not exist", hint="Name the folder of the results with --results")
    done = publish(results)
    if as_json:
        problems = [{"run_id": run, "problem": problem} for run, problem in done.problems]
        click.echo(json.dumps({"path": str(done.path), "runs": done.runs, "problems": problems}, indent=2))
        return
    click.echo(f"{done.path}: {done.runs} runs")
    for run, problem in done.problems:
        click.echo(f"  {run}: {problem}")


@command.command()
@click.argument("table", required=False)
@options.as_json
def schema(table: str | None, as_json: bool) -> None:
    """Describe every table and view, or just TABLE: columns, types, units, what NULL means.

    \b
    Example:
      harness db schema endpoint_summary
    """
    about = query.describe_tables()
    chosen = [table] if table else list(about)
    if table is not None and table not in about:
        raise UnknownName("table", table, about)
    columns = [column for column in query.describe() if column.table in chosen]
    if as_json:
        click.echo(json.dumps([column._asdict() for column in columns], indent=2))
        return
    for name in chosen:
        click.echo(f"\n{name}: {about[name]}")
        tables.show(["column", "type", "comment"], [(c.name, c.type, c.comment) for c in columns if c.table == name])
