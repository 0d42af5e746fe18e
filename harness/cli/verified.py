"""What the commands of a verification end with: its report, made of what is stored."""

from __future__ import annotations

import functools
import importlib
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import click

from harness import config
from harness.cli import options
from harness.record.folder import RunFolder, write_atomic
from harness.report.fidelity.found import found_in
from harness.report.fidelity.told import document, show
from harness.report.markdown import markdown
from harness.report.summary import terminal
from harness.run.sitting import Sitting
from harness.store.query import held, rows

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = options.NewFile()


class Forms(NamedTuple):
    """How a report is made, and where it goes."""

    margin: float
    """Loss of right answers that would matter, in points."""
    md: Path | None
    html: Path | None


def forms(function: _Command) -> _Command:
    """``--margin``, ``--md`` and ``--html``; the command gets them as one ``to``."""

    @click.option(
        "--margin",
        type=options.Amount(),
        default=5.0,
        show_default=True,
        metavar="POINTS",
        help="Loss of right answers that would matter, in points.",
    )
    @click.option("--md", "md_file", type=_FILE, default=None, help="Also write the report as Markdown.")
    @click.option(
        "--html", "html_file", type=_FILE, default=None, help="Also write it as one HTML file with its chart."
    )
    @functools.wraps(function)
    def wrap(*context: Any, **given: Any) -> Any:
        to = Forms(given.pop("margin"), given.pop("md_file"), given.pop("html_file"))
        return function(*context, **given, to=to)

    return cast("_Command", wrap)


def tell(sat: Sitting, results: Path, providers_file: Path | None, to: Forms, *, as_json: bool) -> None:
    """The report of a run that was carried out, if anything of it was measured; otherwise as ``report``."""
    if sat.barren is None:
        report(sat.folder, results, providers_file, to, as_json=as_json)


def report(folder: RunFolder, results: Path, providers_file: Path | None, to: Forms, *, as_json: bool) -> None:
    """Print the report of a run, and write what else was asked for. Errors: as ``found_in``."""
    providers = config.load_providers(providers_file)
    with held(results):
        found = found_in(results, folder, margin=to.margin / 100)
        marks = {row["endpoint"]: row["mark"] for row in rows(results, "from endpoint_marks")}
    told = document(results, folder, found, providers)
    if to.md is not None:
        write_atomic(to.md, markdown(told).encode())
    if to.html is not None:
        # It draws, and plotly is heavy: no other form waits for it.
        drawn = importlib.import_module("harness.report.fidelity.drawn")
        write_atomic(to.html, drawn.html(told, found, defaultdict(int, marks)).encode())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(told, terminal.console())
