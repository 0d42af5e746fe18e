"""``harness tasks``: what can be asked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Column, Table

from harness.catalog import Catalog, discover
from harness.cli import options, tables
from harness.errors import HarnessError, UnknownName
from harness.prompts.filed import file_named
from harness.prompts.task import task_of
from harness.report.summary import terminal
from harness.run.selecting.asked import asked
from harness.scorers import by_name
from harness.types import JsonObject, Load, Sample, Task

_COLUMNS = ("name", "kind", "n", "scorer", "source", "licence")


@click.group()
def command() -> None:
    """Show tasks, loads and suites: yours in ./tasks and the shipped ones.

    \b
    Examples:
      harness tasks list
      harness tasks show arithmetic
      harness tasks show my.jsonl --scorer numeric
      harness tasks scorers
    """


@command.command()
@options.as_json
def scorers(as_json: bool) -> None:
    """List the scorers that --scorer and a column scorer can name, with an example of each."""
    rows = [one._asdict() for one in by_name.known()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    tables.show(
        ("name", "example", "what it does"),
        [(one["name"], one["example"], one["summary"] or f"of {one['package']}") for one in rows],
    )


@command.command("list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List every task, load and suite; n is - where the task makes its samples or the data is not here yet.

    Probes have their own list: harness probe list.
    """
    catalog = discover()
    catalog.add_plugins()
    rows = [
        *(_task_row(catalog, task) for task in catalog.tasks.values()),
        *(_load_row(catalog, load) for load in catalog.loads.values()),
        *(_row(name, "suite", None, file) for name, file in catalog.suites.items()),
    ]
    for line in catalog.broken:
        click.echo(f"harness: {line}", err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    # A name is there to be copied: it is never folded.
    table = Table(Column(_COLUMNS[0], no_wrap=True), *_COLUMNS[1:], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("-" if row[column] is None else escape(str(row[column])) for column in _COLUMNS))
    console = terminal.console()
    console.print(table)
    for name, used, unused in catalog.shadowed:
        console.print(f"{name}: {used} is used, {unused} is not", style="dim", markup=False)


@command.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Local data of the task.")
@options.several(options.of_files)
@options.as_json
def show(name: str, data: Path | None, as_json: bool, **about: Any) -> None:
    """Show one task, load or suite by NAME, or a data file, with two example samples."""
    catalog = discover()
    if name in catalog.loads or name in catalog.suites or name in catalog.tasks:
        if name in catalog.tasks:
            asked((name,), catalog, about)  # refuses what only a data file takes
        shown = _details(catalog, name, data)
    else:
        shown = _of_file(catalog, name, about) or _details(catalog, name, data)
    if as_json:
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for key, value in shown.items():
        if key != "samples":
            click.echo(f"{key:12} {'-' if value is None else value}")
    for sample in shown.get("samples") or ():
        click.echo(f"\nsample {sample['id']}\n{json.dumps(sample, indent=2, ensure_ascii=False, default=str)}")


def _of_file(catalog: Catalog, name: str, about: Mapping[str, Any]) -> JsonObject | None:
    """What a data file asks; None: by its form it is a name."""
    path = file_named(name)
    if path is None:
        return None
    (filed,) = asked((name,), catalog, about).files
    task = task_of(filed)
    row = {"name": task.name, "kind": task.kind, "scorer": f"{task.scorer.name} v{task.scorer.version}"}
    samples = [_sample(one) for one in itertools.islice(task.load(None), 2)]
    return row | {"file": str(path), "description": task.description, "samples": samples}


def _details(catalog: Catalog, name: str, data: Path | None) -> JsonObject:
    if name not in (*catalog.loads, *catalog.suites):
        catalog.add_plugins()
    if name in catalog.tasks:
        task = catalog.tasks[name]
        row = _task_row(catalog, task) | {"version": task.version, "description": task.description}
        try:
            return row | {"samples": [_sample(one) for one in itertools.islice(task.load(data), 2)]}
        except HarnessError as error:
            # The rest is worth seeing without the data; a file named by the user must be right.
            if data is not None:
                raise
            return row | {"samples": None, "no samples": str(error)}
    if name in catalog.loads:
        load = catalog.loads[name]
        row = _load_row(catalog, load) | {"version": load.version, "description": load.description}
        slo = {"ttft_ms": load.slo.ttft_ms, "tpot_ms": load.slo.tpot_ms, "e2e_ms": load.slo.e2e_ms}
        levels = [str(level) for level in load.levels]
        return row | {"levels": levels, "slo": slo, "samples": [_sample(load.sample(0, index)) for index in (0, 1)]}
    if name in catalog.suites:
        suite = catalog.suite(name)
        row = _row(name, "suite", None, suite.file) | {"description": suite.description}
        return row | {"tasks": list(suite.tasks), "probes": suite.probes, "loads": list(suite.loads)}
    known = (*catalog.tasks, *catalog.loads, *catalog.suites)
    where = "; ".join(("See: harness tasks list", *catalog.broken))
    raise UnknownName("task, load or suite", name, known, where=where)


def _task_row(catalog: Catalog, task: Task) -> JsonObject:
    file = catalog.files["task", task.name]
    return {
        "name": task.name,
        "kind": task.kind,
        "n": _rows_beside(file, task.source),
        "scorer": f"{task.scorer.name} v{task.scorer.version}",
        "source": task.source or None,
        "licence": task.licence,
        "file": str(file),
    }


def _load_row(catalog: Catalog, load: Load) -> JsonObject:
    n = load.requests_per_level * len(load.levels) if load.requests_per_level else None
    return _row(load.name, "load", n, catalog.files["load", load.name])


def _row(name: str, kind: str, n: int | None, file: Path) -> JsonObject:
    return {"name": name, "kind": kind, "n": n, "scorer": None, "source": None, "licence": None, "file": str(file)}


def _rows_beside(task_file: Path, source: str) -> int | None:
    """Lines of the data file that is shipped with the task; None: its source is no such file."""
    for folder in task_file.parents:
        data = folder / source
        if source.endswith(".jsonl") and data.is_file():
            return sum(1 for line in data.read_bytes().splitlines() if line.strip())
    return None


def _sample(sample: Sample) -> JsonObject:
    fields: Mapping[str, Any] = {
        "id": sample.id,
        "messages": list(sample.messages),
        "inputs": list(sample.inputs),
        "target": sample.target,
        "tools": list(sample.tools),
        "params": dict(sample.params),
        "turns": list(sample.turns),
    }
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
