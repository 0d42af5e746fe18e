"""Runs of this machine into a team's store: file by file, the manifest last, and nothing there is ever changed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StoreError
from harness.place import Place, Told
from harness.record.folder import RunFolder
from harness.team.run import MANIFEST, NotReady, Part, Sealed, local, same, without_texts
from harness.team.store import RUNS, Listed, Moved, holds, listed, look

_AT_ONCE = 4
"""Files of a run that are uploaded side by side: a store far away takes its time for each."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How runs are pushed."""

    dry_run: bool = False
    texts: bool = True
    """Whether requests and answers go along."""
    restart: bool = False
    """Whether what an earlier push left unfinished is taken away first."""


def push(place: Place, folders: Sequence[RunFolder], terms: Terms, told: Told) -> Iterator[Moved]:
    """Push runs one after another, and say what became of each; ``told`` hears of the bytes as they go.

    Errors: StoreError when the store cannot be reached; what is wrong with one run is told as refused.
    """
    there = listed(place)
    for folder in folders:
        try:
            yield _push(place, folder, there.get(folder.id), terms, told)
        except NotReady as why:
            yield Moved(folder.id, "skipped", str(why))
        except StoreError as error:
            yield Moved(folder.id, "refused", str(error))


def _push(place: Place, folder: RunFolder, there: Listed | None, terms: Terms, told: Told) -> Moved:
    run = local(folder)
    if there is not None and there.published:
        return _compared(place, run, there)
    if terms.dry_run:
        return Moved(run.id, "would push", bytes=run.bytes, texts=run.whole and terms.texts)
    if there is not None and terms.restart:
        for name in there.files:
            place.remove(f"{RUNS}/{run.id}/{name}")
    if terms.texts or not run.whole:
        return _upload(place, run, folder, folder, told)
    with tempfile.TemporaryDirectory(prefix="harness-push-") as scratch:
        copy = RunFolder(Path(scratch) / run.id)
        return _upload(place, without_texts(run, folder, copy.root), copy, folder, told)


def _compared(place: Place, run: Sealed, there: Listed) -> Moved:
    """A run that the store has: the same one, or refused."""
    if same(run, look(place, there)):
        return Moved(run.id, "there")
    raise StoreError(
        f"{place.shown}/{RUNS}/{run.id} is another run of this name, or was judged otherwise",
        hint="What is in a store stays as it is; take it out there, or keep yours to yourself",
    )


def _upload(place: Place, run: Sealed, source: RunFolder, folder: RunFolder, told: Told) -> Moved:
    """Create each file that is not there yet, then the manifest, if the run is still what it was at the beginning."""
    before = folder.manifest_path.read_bytes()

    def one(name: str) -> None:
        _create(place, f"{RUNS}/{run.id}/{name}", source.root / name, run.parts[name], told)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(one, run.parts):
            pass
    if folder.manifest_path.read_bytes() != before:
        raise StoreError(f"run {run.id} was changed while it was pushed", hint="Push it again")
    part = Part(len(run.content), hashlib.sha256(run.content).hexdigest())
    _create(place, f"{RUNS}/{run.id}/{MANIFEST}", run.content, part, told)
    found = listed(place, run.id).get(run.id)
    if found is None or not found.published:
        raise StoreError(f"{place.shown} does not keep what is written into it")
    look(place, found)
    return Moved(run.id, "pushed", bytes=run.bytes, texts=run.whole)


def _create(place: Place, path: str, source: Path | bytes, part: Part, told: Told) -> None:
    """Create a file, or find that it is there already: of an earlier push, or of someone who pushes the same run."""
    if place.create(path, source, told) or holds(place, path, part):
        return
    raise StoreError(
        f"{place.shown}/{path} is there, and is not that of this run",
        hint="An unfinished push of another state of the run left it: push with --restart",
    )
