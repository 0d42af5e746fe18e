"""What push, pull and sync share: their options, their progress, and how they tell what became of each run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from harness.errors import ConfigError, StoreError, UsageError
from harness.place import Place, Told, open_place
from harness.report.summary.terminal import console
from harness.secrets import hidden
from harness.team.catalogue import Postgres
from harness.team.exchange import Exchanged
from harness.team.remarks import Files, Shelf
from harness.team.store import Moved

store = click.option(
    "--store",
    metavar="ADDRESS",
    envvar="HARNESS_STORE",
    show_envvar=True,
    help="The team's store: a folder, or s3://, gs:// or az:// with its extra.",
)
acceptances = click.option(
    "--acceptances",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE",
    help="A gate's file of acceptances that is to be shared; see docs/team.md.",
)
catalogue = click.option(
    "--catalogue",
    metavar="URL",
    help="Share annotations and acceptances by this Postgres database too: postgresql://me@host/team.",
)
password_env = click.option(
    "--password-env", metavar="VARIABLE", help="Environment variable with the catalogue's password."
)
dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


def place_of(address: str | None) -> Place:
    """The store; UsageError when none is named."""
    if not address:
        raise UsageError("no store is named", hint="Give --store ADDRESS, or set HARNESS_STORE")
    return open_place(address)


def shelves(place: Place | None, catalogue: str | None, password_env: str | None) -> list[Shelf]:
    """Where remarks go. Errors: as ``Postgres``; ConfigError when the password's variable is not set."""
    found: list[Shelf] = [] if place is None else [Files(place)]
    if catalogue is None:
        if password_env is not None:
            raise UsageError("--password-env goes with --catalogue")
        return found
    password = None
    if password_env is not None:
        if not (password := os.environ.get(password_env)):
            raise ConfigError(f"the environment variable {password_env} is not set", hint="It holds the password")
        hidden.note(password)
    return [*found, Postgres(catalogue, password)]


@contextmanager
def shown_bytes(what: str, *, dry_run: bool) -> Iterator[Told]:
    """A live count of bytes on a terminal, and nothing elsewhere, where a line for each run says enough."""
    screen = console(stderr=True)
    if dry_run or not screen.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda n: progress.advance(task, n)


def told(moves: Iterable[Moved]) -> Iterator[Moved]:
    """Hand the moves on as they come, with a line for each that did something."""
    for move in moves:
        if move.what != "there":
            why = f": {move.why}" if move.why else f", {_size(move.bytes)}"
            click.echo(f"{move.what} {move.run}{why}", err=True)
        yield move


def _size(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 1e6 else f"{n / 1e3:.1f} kB"


def finish(address: str | None, moves: list[Moved], exchanged: Exchanged, *, as_json: bool) -> None:
    """Print the sums, and end with exit code 5 where something was refused."""
    if as_json:
        about = {
            "store": None if address is None else hidden.shown(address),
            "runs": [move._asdict() for move in moves],
            "remarks": {"sent": exchanged.sent, "taken": exchanged.taken, "problems": list(exchanged.problems)},
        }
        click.echo(json.dumps(about, indent=2))
    else:
        click.echo(_sums(moves, exchanged))
        if any(move.texts and move.what in ("pushed", "would push") for move in moves):
            click.echo("They hold requests and answers in full; --without-texts leaves these out.", err=True)
    for problem in exchanged.problems:
        click.echo(problem, err=True)
    refused = sum(move.what == "refused" for move in moves)
    if refused:
        raise StoreError(f"{refused} of {len(moves)} runs were refused, and stay as they are")
    if exchanged.problems:
        raise StoreError(f"{len(exchanged.problems)} annotations or acceptances of the store cannot be read")


def _sums(moves: list[Moved], exchanged: Exchanged) -> str:
    counts: Counter[str] = Counter(move.what for move in moves)
    order = ("pushed", "would push", "pulled", "would pull", "there", "skipped", "refused")
    words = {"there": "the same here and there"}
    parts = [f"{counts[what]} {words.get(what, what)}" for what in order if counts[what]]
    runs = f"runs: {', '.join(parts)}" if parts else "no runs"
    remarks = f"annotations and acceptances: {exchanged.sent} sent, {exchanged.taken} taken"
    return f"{runs}; {remarks}"
