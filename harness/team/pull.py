"""Runs of a team's store onto this machine: each verified by its checksums, then put in place whole."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StoreError, UnknownName
from harness.place import Place, Told
from harness.record.folder import RunFolder, atomic_file, list_runs, only_one, storing, sync_folder
from harness.store import checksums
from harness.team.run import MANIFEST, Part, Sealed, described, same
from harness.team.store import RUNS, Listed, Moved, listed, look

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """Which runs are pulled, and how."""

    names: Collection[str] = ()
    """Of the only ones; empty: all."""
    apart: Collection[str] = ()
    """Of those that are left out, since more is known of them."""
    dry_run: bool = False


def pull(place: Place, results: Path, terms: Terms, told: Told) -> Iterator[Moved]:
    """Pull the runs that are not here yet, and say what became of each; ``told`` hears of the bytes as they come.

    Errors: StoreError when the store cannot be reached, or another process pulls; UnknownName; what is wrong with one
    run is told as refused.
    """
    there = listed(place)
    for name in terms.names:
        if name not in there:
            raise UnknownName("run of the store", name, there)
    wanted = terms.names or there
    chosen = [run for name, run in there.items() if name in wanted and name not in terms.apart]
    here = {run.id: run for run in list_runs(results)}
    if terms.dry_run or not chosen:
        yield from (_pull(place, results, run, here, None) for run in chosen)
        return
    with storing(results):
        (results / "runs").mkdir(parents=True, exist_ok=True)
    with only_one(results / ".pull.lock", wait_s=0.2, what=f"{results} is being pulled into"):
        yield from (_pull(place, results, run, here, told) for run in chosen)


def _pull(place: Place, results: Path, run: Listed, here: dict[str, RunFolder], told: Told | None) -> Moved:
    """``told`` None: only say what would be done."""
    if not run.published:
        return Moved(run.id, "skipped", "is being pushed, or a push was broken off")
    try:
        found = look(place, run)
        if (mine := here.get(run.id)) is not None:
            return _compared(place, found, mine)
        if told is None:
            return Moved(run.id, "would pull", bytes=found.bytes, texts=found.whole)
        _download(place, results / "runs", found, told)
    except StoreError as error:
        return Moved(run.id, "refused", str(error))
    return Moved(run.id, "pulled", bytes=found.bytes, texts=found.whole)


def _compared(place: Place, found: Sealed, mine: RunFolder) -> Moved:
    where = f"{mine.root} and {place.shown}/{RUNS}/{found.id}"
    try:
        known = same(described(mine.id, mine.manifest_path.read_bytes()), found)
    except (OSError, StoreError) as error:
        raise StoreError(f"{where} cannot be compared: the one here is not sealed") from error
    if not known:
        raise StoreError(f"{where} differ", hint="Both stay as they are; take one of them away")
    return Moved(found.id, "there")


def _download(place: Place, runs: Path, run: Sealed, told: Told) -> None:
    """Bring a run under a hidden name, going on where an earlier pull ended, then give it its own."""
    hidden = runs / f".{run.id}.pulled"
    with storing(hidden):
        hidden.mkdir(exist_ok=True)
        for path in hidden.iterdir():
            if path.name not in run.parts:
                path.unlink()

    def one(name: str) -> None:
        _fetch(place, f"{RUNS}/{run.id}/{name}", hidden / name, run.parts[name], told)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(one, run.parts):
            pass
    with atomic_file(hidden / MANIFEST) as file:
        file.write(run.content)
    with storing(runs / run.id):
        hidden.rename(runs / run.id)
        sync_folder(runs)


def _fetch(place: Place, path: str, target: Path, part: Part, told: Told) -> None:
    """One file, unless it is here; StoreError when what came is not what was sealed."""
    if target.exists() and checksums.entry(target) == part._asdict():
        told(part.bytes)
        return
    digest, size = hashlib.sha256(), 0
    with atomic_file(target) as file:
        for block in place.blocks(path):
            size += len(block)
            if size > part.bytes:
                break
            digest.update(block)
            file.write(block)
            told(len(block))
        if size != part.bytes or digest.hexdigest() != part.sha256:
            raise StoreError(
                f"{place.shown}/{path} is not as it was sealed",
                hint="The copy in the store is damaged: take its folder out there, and push the run again",
            )
