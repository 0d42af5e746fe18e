"""``harness sql``: ask the results in SQL."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options, tables
from harness.errors import UsageError
from harness.store import query


@click.command()
@click.argument("text", metavar="QUERY")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
@options.as_json
@options.results
def command(text: str, as_csv: bool, as_json: bool, results: Path) -> None:
    """Ask the results database one QUERY, read-only; no file, network or setting can be reached from it.

    \b
    Tables and views with their units: harness db schema
    Example:
      harness sql "select endpoint, ttft_p50_ms, cost_usd from endpoint_summary order by 2"
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other")
    found = query.user_sql(results, text)
    if as_json:
        click.echo(tables.as_json(found.columns, found.rows))
    elif as_csv:
        click.echo(tables.as_csv(found.columns, found.rows), nl=False)
    else:
        tables.show(found.columns, found.rows)
