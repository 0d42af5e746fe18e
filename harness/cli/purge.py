"""``harness purge``: take requests and answers out of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import click

from harness.cli import options
from harness.errors import StoreError, UsageError
from harness.record.folder import RunFolder, list_runs, open_run
from harness.store import texts
from harness.store.index import publish

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType[timedelta]):
    """A number of hours, days or weeks: 12h, 30d, 8w."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        found = re.fullmatch(r"(\d{1,5})([hdw])", str(value))
        if found is None:
            self.fail(f"{value} is not an age such as 12h, 30d or 8w.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command()
@click.argument("runs", nargs=-1)
@click.option("--text", is_flag=True, help="Requests, answers and what was judged of them in words; figures stay.")
@click.option("--older-than", type=Age(), default=None, metavar="AGE", help="Only runs that ended so long ago: 30d.")
@click.option(
    "--keep",
    type=click.Choice(["none", "hash", "sample"]),
    default="none",
    show_default=True,
    help="What stays of the texts.",
)
@click.option("--dry-run", is_flag=True, help="Say which runs, change nothing.")
@options.results
def command(
    runs: tuple[str, ...], text: bool, older_than: timedelta | None, keep: str, dry_run: bool, results: Path
) -> None:
    """Take the texts out of RUNS, or out of all that are older than an age; figures, times and scores stay.

    A purged run can be reported and compared, but no longer judged again, resumed or shown with its evidence. There is
    no way back. What is being written is left alone; a purging that was broken off is finished by the same command.

    \b
    Examples:
      harness purge --text --older-than 30d --dry-run
      harness purge --text --older-than 30d
      harness purge --text 20261121t110301z-chat-1a2b3c --keep hash
    """
    if not text:
        raise UsageError("purge takes out nothing by itself", hint="Say --text")
    if not runs and older_than is None:
        raise UsageError("no run is named", hint="Give --older-than AGE or the ids of runs")
    before = None if older_than is None else datetime.now(UTC) - older_than
    named = [open_run(results, name) for name in dict.fromkeys(runs)]
    purged = 0
    problems = []
    try:
        for folder in named or list_runs(results):
            try:
                for line in _purged(folder, before, cast("texts.Kept", keep), dry_run=dry_run, named=bool(named)):
                    click.echo(line)
                    purged += 1
            except StoreError as error:
                problems.append(str(error))
                click.echo(f"left: {error}", err=True)
    finally:
        if purged and not dry_run:
            publish(results)
    if not purged:
        click.echo("nothing to purge")
    if problems:
        raise StoreError(f"{len(problems)} of the runs could not be purged")


def _purged(
    folder: RunFolder, before: datetime | None, keep: texts.Kept, *, dry_run: bool, named: bool
) -> Iterator[str]:
    """Purge one run where it is due; gives the line that says so."""
    manifest = folder.read_manifest()
    state = texts.state(manifest)
    if state.due:
        keep = texts.wanted(manifest)
    else:
        done = not state.whole and not (named and _less(keep, state.kept))
        young = before is not None and _ended(folder, manifest["finished_at"] or manifest["created_at"]) >= before
        if done or young:
            return
    if dry_run:
        yield f"would purge {folder.id}"
        return
    with folder.lock():
        freed = texts.purge(folder, keep)
    yield f"purged {folder.id}, {freed / 1e6:.1f} MB less"


def _less(keep: texts.Kept, kept: texts.Kept) -> bool:
    """Whether more is to go than went before."""
    order = ("none", "hash", "sample", "all")
    return order.index(keep) < order.index(kept)


def _ended(folder: RunFolder, at: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(at))
    except ValueError:
        raise StoreError(f"run {folder.id} does not say when it ended") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
