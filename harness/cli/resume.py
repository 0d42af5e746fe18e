"""``harness resume``: finish a run that was broken off."""

from __future__ import annotations

from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import finish
from harness.record.folder import open_run
from harness.report.progress import Progress
from harness.report.summary import terminal
from harness.run import sitting
from harness.run.conduct import Company
from harness.run.workers import executors
from harness.run.workers.executor import Where


@click.command()
@click.argument("run", default="latest")
@options.results
@options.providers
@options.allow_code_exec
@options.several(options.dealt)
@options.as_json
def command(
    run: str,
    results: Path,
    providers_file: Path | None,
    where: Where,
    as_json: bool,
) -> None:
    """Finish RUN: an id, the beginning of one, or "latest".

    Exactly the planned requests that have no final attempt yet are sent. Resuming is not retrying: a request
    that ended in a failure keeps it.

    \b
    Example:
      harness resume 20261121t1103
    """
    folder = open_run(results, run)
    made = executors.made(where, providers_file)
    with Progress(terminal.console(stderr=True)) as progress:
        sat = sitting.resume(
            folder,
            catalog=catalog.discover(),
            providers=config.load_providers(providers_file),
            company=Company(
                progress,
                announce=progress.announce,
                judging=progress.judging,
                workers=where.processes,
                executor=made,
                providers_file=providers_file,
            ),
        )
    if sat.status == "finished" and not sat.tally.attempts:
        click.echo(f"harness: nothing of run {folder.id} was left to ask, and nothing was sent", err=True)
    finish(sat, results, as_json=as_json)
