"""``harness db``: the results database, which is derived from the run folders."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli import options, sql, tables
from harness.errors import StoreError, UnknownName, UsageError
from harness.integrity import whole
from harness.record.folder import list_runs, no_runs, open_run
from harness.store import dictionary
from harness.store import export as exporting
from harness.store.export import FORMATS, Format
from harness.store.index import publish


@click.group()
def command() -> None:
    """Rebuild, check, export and describe the results database.

    \b
    Examples:
      harness db rebuild
      harness db check
      harness db export endpoint_summary --out summary.csv
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
@click.argument("runs", nargs=-1)
@options.results
@options.as_json
def check(runs: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Prove that RUNS (all of them by default) are whole, and that all that is said of them agrees.

    Each planned request must end in exactly one way; counts, tokens, costs, failures and scores must be the same in
    journals, Parquet, database and report; every file must be whole. Nothing is changed. What is found is listed with
    the command that mends it; the exit code is 5 where something is wrong.

    \b
    Example:
      harness db check latest
    """
    folders = [open_run(results, run) for run in runs] or list_runs(results)
    if not folders:
        raise UsageError(no_runs(results))
    found = list(whole.check(results, folders))
    wrong = [one for one in found if one.wrong]
    if as_json:
        click.echo(
            json.dumps(
                {"runs": len(folders), "wrong": len(wrong), "findings": [one._asdict() for one in found]}, indent=2
            )
        )
    else:
        for one in found:
            mend = f"; mend it with {one.mend}" if one.mend else ""
            click.echo(f"{'WRONG' if one.wrong else 'note '}  {one.run or results} {one.what}: {one.problem}{mend}")
    if wrong:
        many = f"{len(wrong)} things are" if len(wrong) > 1 else "1 thing is"
        raise StoreError(f"{many} wrong in {len({one.run for one in wrong})} of {len(folders)} runs checked")
    if not as_json:
        click.echo(f"{len(folders)} runs checked: all is whole and agrees")


@command.command()
@click.argument("table", required=False)
@click.option("--query", "text", metavar="SQL", help="Export what this query gives instead of a table.")
@click.option("--format", "how", type=click.Choice(FORMATS), help="Default: what the file's name ends with.")
@click.option("--out", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file.")
@options.results
def export(table: str | None, text: str | None, how: Format | None, target: Path, results: Path) -> None:
    """Write a TABLE or view, or what a query gives, into a file: Parquet, CSV or JSON lines.

    In CSV a text that a spreadsheet would take for a formula begins with an apostrophe.

    \b
    Examples:
      harness db export attempt_metrics --out attempts.parquet
      harness db export --query "from scores where value < 1" --format csv --out wrong.csv
    """
    if (table is None) == (text is None):
        raise UsageError("name either a table or a --query", hint="See harness db schema")
    ending = next((one for one in FORMATS if target.name.lower().endswith(f".{one}")), None)
    if (chosen := how or ending) is None:
        raise UsageError(f"--format is needed: the name of {target} tells none", hint=f"One of {', '.join(FORMATS)}")
    asked = exporting.all_of(table) if table is not None else text
    assert asked is not None
    n = exporting.export(results, asked, target, chosen)
    click.echo(f"{target}: {n} rows", err=True)


@command.command()
@click.argument("table", required=False)
@options.as_json
def schema(table: str | None, as_json: bool) -> None:
    """Describe every table and view, or just TABLE: columns, types, units, what NULL means.

    Last come the macros, which are called with a run and, where only its rows are wanted, a job:
    harness sql "from itl('RUN', 'JOB')".

    \b
    Example:
      harness db schema endpoint_summary
    """
    about, macros = dictionary.describe_tables(), dictionary.describe_macros()
    names = [*about, *macros]
    if table is not None and table not in names:
        raise UnknownName("table", table, names)
    chosen = [table] if table else names
    columns = [column for column in dictionary.describe() if column.table in chosen]
    columns += [column for name in chosen if name in macros for column in macros[name].columns]
    if as_json:
        click.echo(json.dumps([column._asdict() for column in columns], indent=2))
        return
    for name in chosen:
        title, comment = (macros[name].call, macros[name].comment) if name in macros else (name, about[name])
        click.echo(f"\n{title}: {comment}")
        tables.show(["column", "type", "comment"], [(c.name, c.type, c.comment) for c in columns if c.table == title])


command.add_command(sql.command, "sql")
