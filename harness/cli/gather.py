"""``harness gather``: one run of the shards that workers left somewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from harness import catalog, config
from harness.cli import options
from harness.cli.carry import finish
from harness.place import open_place
from harness.record.folder import open_run
from harness.report.progress import Progress
from harness.report.summary import terminal
from harness.run import stored
from harness.run.conduct import STOPPING, interruptible
from harness.run.workers import gathering, handed
from harness.run.workers.gathering import Gathering

_LOOK_S = 1.0


@click.command()
@click.argument("run", default="latest")
@click.option("--from", "place", metavar="PLACE", help="Where the workers write. [default: as the run was handed out]")
@click.option("--follow", is_flag=True, help="Look on until all workers have ended; Ctrl-C drains every one of them.")
@options.results
@options.providers
@options.as_json
def command(
    run: str, place: str | None, follow: bool, results: Path, providers_file: Path | None, as_json: bool
) -> None:
    """Make one run of the shards of RUN, which `harness load ... --executor hand` handed out.

    Requests are put together, never percentiles. A shard that did not come to its end makes the run partial: its
    figures are of what was asked, and a gate on it says error. Gather again once the worker has been started again.

    \b
    Examples:
      harness gather latest --follow
      harness gather 20261126t1500 --from s3://bucket/loads/1
    """
    folder = open_run(results, run)
    told = folder.read_manifest()
    handed.refuse_unhanded(folder.id, told)
    plan = stored.replan(folder, stored.replanner(catalog.discover(), config.load_providers(providers_file)))
    at = open_place(place or told["handed_out"])
    with Progress(terminal.console(stderr=True)) as progress:
        workers = Gathering(at, progress)
        progress.planned(sum(1 for _ in plan.jobs))
        if follow:
            asyncio.run(_look_on(workers, progress))
        else:
            workers.look()
        sat = gathering.end(folder, plan, workers, progress.judging, progress.announce)
    finish(sat, results, as_json=as_json)


async def _look_on(workers: Gathering, progress: Progress) -> None:
    """Until all have ended; an interrupt tells them to, a second one ends the looking."""
    given_up = asyncio.Event()
    told: list[bool] = []

    def stop() -> bool:
        if told:
            return False
        told.append(True)
        progress.announce(STOPPING)
        workers.stop()
        return True

    async with interruptible(stop, given_up.set):
        while not workers.ended and not given_up.is_set():
            await asyncio.to_thread(workers.look)
            try:
                async with asyncio.timeout(_LOOK_S):
                    await given_up.wait()
            except TimeoutError:
                continue
