"""``harness push``: runs into a team's store."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options, team
from harness.record.folder import list_runs, open_run
from harness.team.exchange import Desk, give
from harness.team.push import Terms, push

without_texts = click.option(
    "--without-texts", is_flag=True, help="Leave requests and answers here; figures, times and scores go."
)
restart = click.option(
    "--restart", is_flag=True, help="First take away what an earlier push of these runs left unfinished in the store."
)


@click.command()
@click.argument("runs", nargs=-1)
@team.store
@without_texts
@restart
@team.acceptances
@team.dry_run
@options.results
@options.as_json
def command(
    runs: tuple[str, ...],
    store: str | None,
    without_texts: bool,
    restart: bool,
    acceptances: Path | None,
    dry_run: bool,
    results: Path,
    as_json: bool,
) -> None:
    """Copy RUNS (all finished ones by default) and your annotations into the team's store.

    What is in a store is never changed: a run that is there is left, and one that is there and differs is refused.
    Unfinished runs are skipped. Broken off, the same command goes on. Keys are in no run; requests and answers are,
    unless --without-texts leaves them out (docs/team.md).

    \b
    Examples:
      harness push --store /mnt/team/store
      HARNESS_STORE=s3://our-bucket/harness harness push --without-texts
      harness push latest --dry-run
    """
    place = team.place_of(store)
    folders = [open_run(results, run) for run in dict.fromkeys(runs)] or list_runs(results)
    terms = Terms(dry_run=dry_run, texts=not without_texts, restart=restart)
    with team.shown_bytes("pushing", dry_run=dry_run) as count:
        moves = list(team.told(push(place, folders, terms, count)))
    exchanged = give(Desk(results, acceptances), team.shelves(place, None, None), dry_run=dry_run)
    team.finish(place.shown, moves, exchanged, as_json=as_json)
