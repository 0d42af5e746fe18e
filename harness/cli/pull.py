"""``harness pull``: runs out of a team's store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from harness.cli import options, team
from harness.errors import StoreError
from harness.place import Place
from harness.store.index import publish
from harness.team.exchange import Desk, take
from harness.team.pull import Terms, pull
from harness.team.store import Moved


@click.command()
@click.argument("runs", nargs=-1)
@team.store
@team.acceptances
@team.dry_run
@options.results
@options.as_json
def command(
    runs: tuple[str, ...], store: str | None, acceptances: Path | None, dry_run: bool, results: Path, as_json: bool
) -> None:
    """Copy RUNS of the team's store (all that are not here, by default) and others' annotations onto this machine.

    Every file is verified by its checksum before a run appears; one that is damaged in the store, or differs from
    yours, is named and left. Then your own database is made anew. Broken off, the same command goes on.

    \b
    Examples:
      harness pull --store /mnt/team/store
      HARNESS_STORE=s3://our-bucket/harness harness pull --dry-run
    """
    place = team.place_of(store)
    moves = pulled(place, results, names=runs, dry_run=dry_run)
    exchanged = take(Desk(results, acceptances), team.shelves(place, None, None), dry_run=dry_run)
    if not moves and not exchanged.taken:
        raise StoreError(f"there are no runs in {place.shown}", hint="Is that the store? `harness push` makes one")
    team.finish(place.shown, moves, exchanged, as_json=as_json)


def pulled(
    place: Place, results: Path, *, names: Collection[str] = (), apart: Collection[str] = (), dry_run: bool
) -> list[Moved]:
    """Pull, with progress, and make the database anew of what came, however that ended; errors: as ``pull``."""
    moves: list[Moved] = []
    try:
        with team.shown_bytes("pulling", dry_run=dry_run) as count:
            moves.extend(team.told(pull(place, results, Terms(names, apart, dry_run=dry_run), count)))
    finally:
        if any(move.what == "pulled" for move in moves):
            publish(results)
    return moves
