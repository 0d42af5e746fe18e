"""``harness worker``: one process of a load."""

from __future__ import annotations

from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options
from harness.errors import UsageError
from harness.folder import RunFolder
from harness.journal import Journal
from harness.keys import keys_of
from harness.run import stored
from harness.run.conduct import asked
from harness.run.manifest import asked_of
from harness.run.worker import Worker
from harness.wire.loop import run as run_loop


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--shard", required=True, metavar="I/K", help="Which share of the plan, counted from 0.")
@options.providers
def command(folder: Path, shard: str, providers_file: Path | None) -> None:
    """Carry out one share of the plan in a run FOLDER; `harness load --workers K` starts these and speaks to them.

    It waits for JSON lines on standard input and ends with it.

    \b
    Example:
      harness worker results/runs/20261121t110301z-chat-1a2b3c --shard 0/4
    """
    number, of = _shard(shard)
    run = RunFolder(folder)
    again = stored.replanner(catalog.discover(), config.load_providers(providers_file))
    rows = asked_of(run.read_manifest())
    served = {row["provider"]: row["base_url"] for row in rows if row["engine"] and row["base_url"]}
    plan = stored.replan(run, again)
    worker = Worker(run, lambda: stored.replan(run, again).served_at(served), stored.progress(run, plan), (number, of))
    secrets: list[str] = []
    keys = keys_of(asked(plan), secrets)
    with Journal(run, number, secrets=secrets) as journal:
        run_loop(worker.work(journal, keys))


def _shard(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise UsageError(f"--shard {text!r} is not I/K with I below K", hint="As in --shard 0/4")
    return int(number), int(of)
