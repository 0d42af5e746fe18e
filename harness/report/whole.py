"""What is shown of a run: the load report where it was a load alone, the comparison where it was more."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from harness.record.folder import RunFolder
from harness.report.load.judged import judged_load
from harness.report.load.terminal import show_load
from harness.report.summary import terminal
from harness.report.summary.figures import summarise
from harness.store.query import held
from harness.types import JsonObject


def show(results: Path, folder: RunFolder, console: Console, *, as_json: bool) -> None:
    """Print a run's tables, or all of them as one JSON object."""
    with held(results):
        found = tables(results, folder)
        if as_json:
            click.echo(json.dumps(found, indent=2))
        elif _only_load(folder.read_manifest()):
            show_load(found, console)
        else:
            terminal.show(found, console)


def tables(results: Path, folder: RunFolder) -> JsonObject:
    """All of a run's tables as plain data; errors as for ``held``."""
    manifest = folder.read_manifest()
    return judged_load(results, folder) if _only_load(manifest) else summarise(results, folder.id)


def _only_load(manifest: JsonObject) -> bool:
    return bool(manifest.get("loads")) and not manifest.get("tasks") and not manifest.get("probes")
