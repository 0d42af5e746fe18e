"""Checksums of what a run recorded, taken when it is sealed and kept in its manifest under ``sealed``.

A journal may grow after that, when the run is resumed; what was there when it was sealed stays as it was, and that is
what its checksum is of.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.record.folder import RunFolder, storing
from harness.types import JsonObject

_BLOCK = 1 << 20
GROWING = ("journal-", "vitals-", "server.jsonl")
"""What the names of files begin with that are only ever added to."""


def taken(folder: RunFolder) -> JsonObject:
    """Size in bytes and SHA-256 of each file of the run by its name: plan, journals, judgements, samples, Parquet.

    Errors: StoreError when one cannot be read.
    """
    return {path.name: entry(path) for path in parts(folder)}


def parts(folder: RunFolder) -> list[Path]:
    """The files of a run that are sealed, as far as they exist."""
    lines = (folder.plan_path, folder.scores_path, folder.judgements_path, folder.verdicts_path, folder.server_path)
    own = [*lines, *folder.journals(), *folder.vitals(), *sorted(folder.root.glob("[!.]*.parquet"))]
    return [path for path in own if path.is_file()]


def entry(path: Path) -> JsonObject:
    """What the manifest says of one file."""
    size, digest = _sha256(path, None)
    return {"bytes": size, "sha256": digest}


def differs(path: Path, sealed: Any) -> str | None:
    """How a file differs from what the manifest says of it, ``sealed``; None: it does not.

    Errors: StoreError when it cannot be read.
    """
    if not isinstance(sealed, dict) or not isinstance(sealed.get("bytes"), int):
        return "has no checksum in run.json"
    if not path.is_file():
        return "is missing"
    size, told = path.stat().st_size, sealed["bytes"]
    if size < told:
        return f"has {size} bytes where {told} were sealed"
    if size > told and not path.name.startswith(GROWING):
        return f"has {size} bytes where {told} were sealed"
    return None if _sha256(path, told)[1] == sealed.get("sha256") else "is not as it was sealed: its checksum differs"


def refuse_changed(folder: RunFolder, manifest: JsonObject) -> None:
    """Make sure that the journals still hold what they held when the run was sealed.

    What is sealed is made anew from them, so a journal that has lost lines would take the good rows with it.
    Errors: StoreError naming the first that does not.
    """
    for name, told in (manifest.get("sealed") or {}).items():
        if name.startswith("journal-") and (problem := differs(folder.root / name, told)):
            raise StoreError(
                f"{folder.root / name} {problem}", hint="Bring it back from a copy; what is sealed is left as it is"
            )


def _sha256(path: Path, most: int | None) -> tuple[int, str]:
    """Size and digest of a file, or of its first ``most`` bytes."""
    digest, size = hashlib.sha256(), 0
    with storing(path), path.open("rb") as file:
        while block := file.read(_BLOCK if most is None else min(_BLOCK, most - size)):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
