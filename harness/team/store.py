"""What a team's store holds: run folders that are never changed, each with its manifest written last.

A run is in the store from the moment its manifest is there. What lies in its folder before that is an upload that is
under way or was broken off, and nobody reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from harness.errors import StoreError
from harness.place import Place
from harness.team.run import MANIFEST, Part, Sealed, described, is_id

RUNS = "runs"
_LARGEST_MANIFEST = 64 << 20


class Moved(NamedTuple):
    """What became of one run."""

    run: str
    what: Literal["pushed", "pulled", "there", "skipped", "refused", "would push", "would pull"]
    why: str = ""
    """Of what was skipped or refused: the reason, with a way out."""
    bytes: int = 0
    texts: bool = False
    """Of what was moved: whether its requests and answers went along."""


class Listed(NamedTuple):
    """The folder of a run in the store."""

    id: str
    files: Mapping[str, int]
    """Bytes of each file, by its name in the folder."""

    @property
    def published(self) -> bool:
        """Whether its manifest is there."""
        return MANIFEST in self.files


def listed(place: Place, run_id: str = "") -> dict[str, Listed]:
    """The folders of runs in a store, or that of one run, by id; StoreError: it cannot be reached."""
    found: dict[str, dict[str, int]] = {}
    for path, size in place.sizes(f"{RUNS}/{run_id}" if run_id else RUNS).items():
        _, name, *rest = path.split("/")
        if rest and is_id(name):
            found.setdefault(name, {})["/".join(rest)] = size
    return {name: Listed(name, files) for name, files in sorted(found.items())}


def look(place: Place, run: Listed) -> Sealed:
    """A published run of the store by its manifest, having compared the sizes of its files.

    Errors: StoreError naming what is not as it was sealed.
    """
    where = f"{place.shown}/{RUNS}/{run.id}"
    if run.files[MANIFEST] > _LARGEST_MANIFEST:
        raise StoreError(f"{where}/{MANIFEST} is too large to be one")
    content = place.read(f"{RUNS}/{run.id}/{MANIFEST}")
    if content is None:
        raise StoreError(f"{where}/{MANIFEST} has just been taken away")
    try:
        found = described(run.id, content)
    except StoreError as error:
        raise StoreError(f"{where}: {error.what}", hint=error.hint) from None
    for name, part in found.parts.items():
        size = run.files.get(name)
        if size != part.bytes:
            told = "is missing" if size is None else f"has {size} bytes where {part.bytes} were sealed"
            raise StoreError(f"{where}/{name} {told}", hint="Take the folder out of the store, then push the run again")
    return found


def holds(place: Place, path: str, part: Part) -> bool:
    """Whether a file of the store is this one, by reading all of it."""
    digest, size = hashlib.sha256(), 0
    for block in place.blocks(path):
        digest.update(block)
        size += len(block)
    return size == part.bytes and digest.hexdigest() == part.sha256
