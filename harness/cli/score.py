"""``harness score``: judge a run again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options
from harness.record.folder import open_run
from harness.report.progress import Progress
from harness.report.summary import terminal
from harness.report.summary.figures import summarise
from harness.run import sitting


@click.command()
@click.argument("run", default="latest")
@options.results
@options.providers
@options.allow_code_exec
@options.as_json
def command(run: str, results: Path, providers_file: Path | None, as_json: bool) -> None:
    """Judge RUN again with today's scorers and probes; nothing is sent and nothing is paid.

    \b
    Example:
      harness score latest
    """
    folder = open_run(results, run)
    with Progress(terminal.console(stderr=True)) as progress:
        sitting.rejudge(
            folder,
            catalog=catalog.discover(),
            providers=config.load_providers(providers_file),
            watch=progress.judging,
        )
    summary = summarise(results, folder.root.name)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        terminal.show(summary, terminal.console())
