"""``harness sync``: what a team's store lacks goes there, what it has comes here."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options, team
from harness.cli.pull import pulled
from harness.cli.push import restart, without_texts
from harness.errors import UsageError
from harness.record.folder import list_runs
from harness.team.exchange import Desk, Exchanged, give, take
from harness.team.push import Terms, push
from harness.team.store import Moved


@click.command()
@team.store
@without_texts
@restart
@team.acceptances
@team.catalogue
@team.password_env
@team.dry_run
@options.results
@options.as_json
def command(
    store: str | None,
    without_texts: bool,
    restart: bool,
    acceptances: Path | None,
    catalogue: str | None,
    password_env: str | None,
    dry_run: bool,
    results: Path,
    as_json: bool,
) -> None:
    """Push, then pull: all finished runs and all annotations, both ways.

    With --catalogue, annotations and acceptances are shared by a Postgres database too, or by that alone where no
    store is named. Ten people may do this at once: nobody waits for anybody, and nothing is lost.

    \b
    Examples:
      harness sync --store /mnt/team/store
      harness sync --store s3://our-bucket/harness --acceptances acceptances.yaml
      harness sync --catalogue postgresql://me@db.example/team --password-env TEAM_DB_PASSWORD
    """
    if not store and catalogue is None:
        raise UsageError("neither a store nor a catalogue is named", hint="Give --store ADDRESS, or set HARNESS_STORE")
    place = team.place_of(store) if store else None
    shelves = team.shelves(place, catalogue, password_env)
    moves: list[Moved] = []
    if place is not None:
        terms = Terms(dry_run=dry_run, texts=not without_texts, restart=restart)
        with team.shown_bytes("pushing", dry_run=dry_run) as count:
            moves += team.told(push(place, list_runs(results), terms, count))
        moves += pulled(place, results, apart={move.run for move in moves}, dry_run=dry_run)
    desk = Desk(results, acceptances)
    given, taken = give(desk, shelves, dry_run=dry_run), take(desk, shelves, dry_run=dry_run)
    exchanged = Exchanged(given.sent, taken.taken, taken.problems)
    team.finish(None if place is None else place.shown, moves, exchanged, as_json=as_json)
