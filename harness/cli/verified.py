"""What the commands of a verification end with: its report, made of what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness import config
from harness.cli import options
from harness.folder import RunFolder, write_atomic
from harness.report import terminal
from harness.report.fidelity.found import found_in
from harness.report.fidelity.told import document, show
from harness.report.markdown import markdown
from harness.run.sitting import Sitting
from harness.store.query import held

margin = click.option(
    "--margin",
    type=options.Amount(),
    default=5.0,
    show_default=True,
    metavar="POINTS",
    help="Loss of right answers that would matter, in points.",
)
md = click.option(
    "--md",
    "md_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Also write the report as Markdown.",
)


def tell(
    sat: Sitting, results: Path, providers_file: Path | None, loss: float, md_file: Path | None, *, as_json: bool
) -> None:
    """The report of a run that was carried out, if anything of it was measured; otherwise as ``report``."""
    if sat.barren is None:
        report(sat.folder, results, providers_file, loss, md_file, as_json=as_json)


def report(
    folder: RunFolder, results: Path, providers_file: Path | None, loss: float, md_file: Path | None, *, as_json: bool
) -> None:
    """Print the report of a run, and write what else was asked for; ``loss`` in points. Errors: as ``found_in``."""
    providers = config.load_providers(providers_file)
    with held(results):
        found = found_in(results, folder, margin=loss / 100)
    told = document(results, folder, found, providers)
    if md_file is not None:
        write_atomic(md_file, markdown(told).encode())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(told, terminal.console())
