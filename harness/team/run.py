"""A run that may travel: what its manifest says of its files, and whether two manifests are of the same run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError
from harness.record import versions
from harness.record.folder import RunFolder, storing
from harness.store import checksums, texts
from harness.store.overview import status_of
from harness.types import JsonObject

MANIFEST = "run.json"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.(?:jsonl|parquet)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Part(NamedTuple):
    """What a manifest says of one sealed file."""

    bytes: int
    sha256: str


class Sealed(NamedTuple):
    """A run as its manifest describes it."""

    id: str
    """The name of its folder."""
    content: bytes
    """run.json, byte for byte."""
    manifest: JsonObject
    parts: Mapping[str, Part]
    """By the names of files."""

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return len(self.content) + sum(part.bytes for part in self.parts.values())

    @property
    def whole(self) -> bool:
        """Whether it holds its requests and answers."""
        return texts.state(self.manifest).whole


class NotReady(Exception):  # noqa: N818 - says why, and is nobody's mistake
    """A run that is not sealed for good yet; the text says why, and how it will be."""


def is_id(name: str) -> bool:
    """Whether a folder of this name may be one of a run: it is nothing but a plain name."""
    return _ID.fullmatch(name) is not None


def local(folder: RunFolder) -> Sealed:
    """A run of this machine, each of whose files was found to be as it was sealed.

    Raises:
        NotReady: it is being written, unfinished, or has texts that are still to be taken out.
        StoreError: it is damaged.
    """
    if (writer := folder.writer()) is not None:
        raise NotReady(f"is being written by process {writer}")
    with storing(folder.manifest_path):
        content = folder.manifest_path.read_bytes()
    manifest = folder.read_manifest()
    status = status_of(folder, manifest)
    if status != "finished":
        raise NotReady(f"is {status}; finish it with harness resume {folder.id}")
    if texts.state(manifest).due:
        raise NotReady(f"has texts that are to be taken out; do it with harness purge --text {folder.id}")
    if not manifest.get("sealed"):
        raise NotReady(f"has no checksums; take them with harness score {folder.id}")
    found = described(folder.id, content)
    for path in checksums.parts(folder):
        if path.name not in found.parts:
            raise StoreError(f"{path} has no checksum in run.json", hint=f"See harness db check {folder.id}")
    for name, part in found.parts.items():
        path = folder.root / name
        if (problem := checksums.differs(path, part._asdict())) is not None:
            raise StoreError(f"{path} {problem}", hint=f"See harness db check {folder.id}")
        if path.stat().st_size != part.bytes:
            raise NotReady(f"has grown since it was sealed; seal it with harness score {folder.id}")
    return found


def described(run_id: str, content: bytes) -> Sealed:
    """A run by the bytes of its manifest, whoever wrote them.

    Errors: StoreError, whose text goes on from the name of the run, when they are of a newer version, were changed, or
    name a file that no run has.
    """
    try:
        manifest = versions.manifest_of(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{MANIFEST} cannot be read: {type(error).__name__}") from None
    except StoreError as error:
        raise StoreError(f"{MANIFEST} {error.what}", hint=error.hint) from None
    sealed = manifest.get("sealed")
    if not isinstance(sealed, dict) or not sealed or manifest.get("status") != "finished":
        raise StoreError(f"{MANIFEST} is not that of a sealed run")
    return Sealed(run_id, content, manifest, {str(name): _part(str(name), told) for name, told in sealed.items()})


def _part(name: str, told: object) -> Part:
    known = isinstance(told, dict) and _PART.fullmatch(name) is not None
    size, digest = (told.get("bytes"), told.get("sha256")) if isinstance(told, dict) else (None, None)
    if not known or not isinstance(size, int) or size < 0 or not _SHA256.fullmatch(str(digest)):
        raise StoreError(f"{MANIFEST} names a file that no run has: {name[:80]!r}")
    return Part(size, str(digest))


def same(one: Sealed, other: Sealed) -> bool:
    """Whether both are the same run, with or without its texts."""
    return not _names(one).isdisjoint(_names(other))


def _names(run: Sealed) -> set[str]:
    """Checksums of the manifest: as it is, and as it was before texts were taken out."""
    of = (run.manifest.get("texts") or {}).get("of")
    return {versions.checksum(run.manifest)} | ({of} if isinstance(of, str) else set())


def without_texts(run: Sealed, folder: RunFolder, copy: Path) -> Sealed:
    """Make a copy of a run in a new folder and take its texts out there; errors: as ``texts.purge``."""
    target = RunFolder(copy)
    with storing(copy):
        copy.mkdir(parents=True)
        for name in run.parts:
            shutil.copyfile(folder.root / name, copy / name)
        target.manifest_path.write_bytes(run.content)
    texts.purge(target, "none")
    return described(run.id, target.manifest_path.read_bytes())
