"""What is shown of a run: the load report where it was a load alone, the comparison where it was more."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from harness.folder import RunFolder
from harness.report import terminal
from harness.report.judged_load import judged_load
from harness.report.load_terminal import show_load
from harness.report.summary import summarise
from harness.store.query import held


def show(results: Path, folder: RunFolder, console: Console, *, as_json: bool) -> None:
    """Print a run's tables, or all of them as one JSON object."""
    with held(results):
        _show(results, folder, console, as_json=as_json)


def _show(results: Path, folder: RunFolder, console: Console, *, as_json: bool) -> None:
    manifest = folder.read_manifest()
    only_load = bool(manifest.get("loads")) and not manifest.get("tasks") and not manifest.get("probes")
    found = judged_load(results, folder) if only_load else summarise(results, folder.id)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif only_load:
        show_load(found, console)
    else:
        terminal.show(found, console)
