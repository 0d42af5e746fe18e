"""``harness worker``: one worker of a run, wherever it is started."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harness import catalog, config
from harness.cli import options
from harness.config.keys import keys_of
from harness.errors import Interrupted, UsageError
from harness.record.folder import RunFolder
from harness.record.journal import Journal
from harness.run import stored
from harness.run.conduct import asked
from harness.run.manifest import asked_of
from harness.run.planning.plan import Plan
from harness.run.workers import hired
from harness.run.workers.handed import INDEX_VARIABLES, found_here
from harness.run.workers.worker import Worker
from harness.wire.loop import run as run_loop


class _Moment(click.ParamType[datetime]):
    """An ISO moment with its offset from UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ``2026-11-26T15:00:00+00:00`` or ``...Z``."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            self.fail(f"{value!r} is no moment with an offset, as in 2026-11-26T15:00:00Z", param, ctx)
        return found.astimezone(UTC)


@click.command()
@click.option("--plan", required=True, metavar="PLACE", help="Folder or URL with the run.json of the run.")
@click.option(
    "--shard", required=True, metavar="[I/]K", help="Which share of K, from 0. Without I: JOB_COMPLETION_INDEX."
)
@click.option("--start-at", type=_Moment(), help="When the first part begins. [default: when all workers are there]")
@click.option("--out", metavar="PLACE", help="Where all workers write and meet, folder or URL. [default: --plan]")
@click.option(
    "--patience", type=options.Amount(), default=600.0, show_default=True, metavar="SECONDS", help="For late ones."
)
@click.option("--told", is_flag=True, hidden=True, help="Is told in JSON lines on standard input what to do.")
@click.option("--apart", is_flag=True, hidden=True, help="Others of the run are on other machines.")
@options.providers
def command(
    plan: str,
    shard: str,
    start_at: datetime | None,
    out: str | None,
    patience: float,
    told: bool,
    apart: bool,
    providers_file: Path | None,
) -> None:
    """Carry out one share of a plan that `harness load ... --executor hand` wrote.

    Any scheduler can start it: it journals its shard at --out as it goes, and the same command, started again, goes on
    with what the shard still lacks. `harness gather` shows all of them and makes one run of the shards.

    \b
    Examples:
      harness worker --plan /shared/runs/20261126t150000z-chat-1a2b3c --shard 0/4
      harness worker --plan /plan --shard 8 --out s3://bucket/loads/1     # a pod of an Indexed Job
    """
    number, of = _shard(shard)
    if told:
        _be_told(RunFolder(Path(plan)), (number, of), providers_file, apart=apart)
        return
    hand = hired.Hand(plan, out or plan, number, of, start_at, patience, providers_file)
    ended = hired.work(hand, catalog.discover(), lambda line: click.echo(f"harness: {line}", err=True))
    click.echo(f"shard {number} of {of}: {ended.tally.jobs} requests, {ended.tally.failed} failed", err=True)
    if ended.stopped is not None:
        raise Interrupted(f"{ended.stopped}; what was journalled is at {out or plan}", hint="The same command goes on")


def _be_told(run: RunFolder, shard: tuple[int, int], providers_file: Path | None, *, apart: bool) -> None:
    made = stored.replanner(catalog.discover(), config.load_providers(providers_file))

    def again() -> Plan:
        return stored.replan(run, lambda selection: made(found_here(selection, run.root)))

    served = {
        row["provider"]: row["base_url"] for row in asked_of(run.read_manifest()) if row["engine"] and row["base_url"]
    }
    plan = again()
    worker = Worker(run, lambda: again().served_at(served), stored.progress(run, plan), shard, apart=apart)
    secrets: list[str] = []
    keys = keys_of(asked(plan), secrets)
    with Journal(run, shard[0], secrets=secrets) as journal:
        run_loop(worker.work(journal, keys))


def _shard(text: str) -> tuple[int, int]:
    number, slash, of = text.rpartition("/")
    if not slash:
        name = next((name for name in INDEX_VARIABLES if name in os.environ), None)
        if name is None:
            raise UsageError(
                f"--shard {text!r} does not say which share, and neither does {' or '.join(INDEX_VARIABLES)}",
                hint="As in --shard 0/4",
            )
        number = os.environ[name]
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise UsageError(f"--shard {text!r}: {number!r} of {of!r} is not I/K with I below K", hint="As in --shard 0/4")
    return int(number), int(of)
