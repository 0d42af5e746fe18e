"""A run is a folder: its names, its manifest, its lock, and the one way a whole file is written.

Every file that is replaced goes through ``atomic_file`` (temporary name in the same folder, fsync, rename, fsync of
the folder), so a reader sees the old file or the new one and never a half. What the disk refuses is told as a
``StoreError`` of one line.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from harness.errors import StoreError, UnknownName, UsageError
from harness.record import versions
from harness.secrets import hidden
from harness.types import JsonObject

DEFAULT_RESULTS = Path("results")
"""Where results are when nobody says otherwise."""
_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Ours are narrower; people may rename a folder."""
_LOCK_PAUSE_S = 0.02
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)


def store_error(error: OSError, path: Path) -> StoreError:
    """What the operating system refused at ``path``, as one line with a way out."""
    if error.errno in _FULL:
        return StoreError(f"no space left to write {path}", hint="Free some space; what was recorded so far is kept")
    if error.errno in _DENIED:
        return StoreError(f"{path} may not be written", hint="Choose a folder you may write to")
    if error.errno == errno.ENOENT:
        return StoreError(f"{path} does not exist")
    return StoreError(f"{path}: {error.strerror or error}")


def is_full(error: StoreError) -> bool:
    """Whether the disk had no room for what was to be written."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``StoreError`` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise store_error(error, path) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that replaces ``path`` when the block ends well, and vanishes when it does not.

    Errors: StoreError when the disk is full, read-only or not ours.
    """
    with storing(path):
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                yield file
            put_in_place(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_atomic(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` without secrets, whole or not at all, and have it on the disk on return.

    Errors: StoreError when the disk is full, read-only or not ours.
    """
    among = hidden.noted()
    with atomic_file(path) as file:
        file.write(data if among is None else among.remove(data))


def put_in_place(temporary: Path, path: Path) -> None:
    """Have a finished file on the disk, then give it the name of the one it replaces."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have a rename inside ``folder`` on the disk on return."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run; it only names and guards files, what they mean is their writers' affair."""

    root: Path

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.root.name

    @property
    def manifest_path(self) -> Path:
        """What the run is and how far it came."""
        return self.root / "run.json"

    @property
    def plan_path(self) -> Path:
        """The planned jobs, one a line."""
        return self.root / "plan.jsonl"

    @property
    def scores_path(self) -> Path:
        """Scores, one a line; can be made again from the journals."""
        return self.root / "scores.jsonl"

    @property
    def judgements_path(self) -> Path:
        """What judges said of answers, one request to a judge a line; can be made again from the journals."""
        return self.root / "judgements.jsonl"

    @property
    def verdicts_path(self) -> Path:
        """Verdicts of probes, one a line; can be made again from the journals."""
        return self.root / "verdicts.jsonl"

    @property
    def server_path(self) -> Path:
        """What the servers told of themselves under ``/metrics``, one sample a line."""
        return self.root / "server.jsonl"

    def vitals_path(self, shard: int) -> Path:
        """How the measuring process of a shard was, one window a line."""
        return self.root / f"vitals-{shard}.jsonl"

    def vitals(self) -> list[Path]:
        """The vitals that exist, by shard."""
        found = self.root.glob("vitals-*.jsonl")
        return sorted(found, key=lambda path: int(path.stem.removeprefix("vitals-")))

    @property
    def lock_path(self) -> Path:
        """Held by the process that writes the run; holds that process's number."""
        return self.root / ".lock"

    def journal_path(self, shard: int) -> Path:
        """The journal of one writing process."""
        return self.root / f"journal-{shard}.jsonl"

    def parquet_path(self, table: str) -> Path:
        """The sealed file of one table: attempts, texts, scores or verdicts."""
        return self.root / f"{table}.parquet"

    def journals(self) -> list[Path]:
        """The journals there are, by shard number."""
        found = (path for path in self.root.glob("journal-*.jsonl") if path.stem.removeprefix("journal-").isdecimal())
        return sorted(found, key=lambda path: int(path.stem.removeprefix("journal-")))

    def read_manifest(self) -> JsonObject:
        """Give run.json as today's version would have it.

        Errors: StoreError when it is missing, not a JSON object, not as it was written, or made by a newer version.
        """
        try:
            return versions.manifest_of(self.manifest_path.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"run {self.id} has no run.json") from None
        except OSError as error:
            raise StoreError(f"{self.manifest_path}: {error.strerror or error}") from error
        except ValueError as error:
            raise StoreError(f"{self.manifest_path} is not JSON: {error}") from error
        except StoreError as error:
            raise StoreError(f"{self.manifest_path} {error.what}", hint=error.hint) from None
        except (TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"{self.manifest_path} cannot be read: {type(error).__name__}: {error}") from error

    def write_manifest(self, manifest: JsonObject) -> None:
        """Replace run.json; errors as ``write_atomic``."""
        write_atomic(self.manifest_path, versions.manifest_text(manifest))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer of this run for the length of the block.

        Errors: StoreError naming the process that is.
        """
        # A reader that asks `writer()` holds the lock for a moment, so one refusal is not yet an answer.
        with only_one(self.lock_path, wait_s=0.2, what=f"run {self.id} is being written"):
            yield

    def writer(self) -> str | None:
        """Number of the live process that writes this run; None: nobody does."""
        try:
            descriptor = os.open(self.lock_path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return None if _try_lock(descriptor, fcntl.LOCK_SH) else _holder(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def only_one(lock: Path, *, wait_s: float, what: str) -> Iterator[None]:
    """Be the only process inside the block, by a lock file that holds its number; a killed holder frees it.

    Errors: StoreError ``<what> by process N`` after ``wait_s`` seconds.
    """
    with storing(lock):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.perf_counter() + wait_s
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.perf_counter() >= deadline:
                raise StoreError(f"{what} by process {_holder(descriptor)}", hint="Wait for it to end")
            time.sleep(_LOCK_PAUSE_S)
        with storing(lock):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """The process number that the holder wrote; ``?`` in the instant before it did."""
    return os.pread(descriptor, 32, 0).decode("ascii", "replace") or "?"


def create(results: Path, slug: str) -> RunFolder:
    """Make the folder of a new run under ``results/runs``: UTC time, what it is, six random digits.

    Errors: StoreError when the folder cannot be made.
    """
    words = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:40].strip("-") or "run"
    stamp = datetime.now(UTC).strftime("%Y%m%dt%H%M%Sz")
    root = results / "runs" / f"{stamp}-{words}-{secrets.token_hex(3)}"
    with storing(root):
        root.mkdir(parents=True)
        sync_folder(root.parent)
    return RunFolder(root)


def list_runs(results: Path) -> list[RunFolder]:
    """The runs under ``results``, oldest first; empty when there is no such folder."""
    runs = results / "runs"
    if not runs.is_dir():
        return []
    return [RunFolder(path) for path in sorted(runs.iterdir()) if _RUN_NAME.fullmatch(path.name) and path.is_dir()]


def results_option(results: Path) -> str:
    """What a suggested command needs to find this folder: `` --results X``, or nothing for the default one."""
    return "" if results == DEFAULT_RESULTS else f" --results {shlex.quote(str(results))}"


def no_runs(results: Path) -> str:
    """That there is no run, and how to make one."""
    return f"no runs in {results}; make one with: harness demo{results_option(results)}"


def open_run(results: Path, name: str) -> RunFolder:
    """Find a run by its id, by the start of its id, or the newest by ``latest``.

    Errors: UnknownName with the nearest ids; UsageError when a start fits several, or there is no run at all.
    """
    runs = list_runs(results)
    if name == "latest":
        if not runs:
            raise UsageError(no_runs(results))
        return runs[-1]
    exact = [run for run in runs if run.id == name]
    found = exact or [run for run in runs if name and run.id.startswith(name)]
    if not found:
        raise UnknownName(
            "run", name, (run.id for run in runs), where=f"See `harness runs list{results_option(results)}`"
        )
    if len(found) > 1:
        ids = ", ".join(run.id for run in found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
        raise UsageError(f"run {name!r} fits {len(found)} runs: {ids}", hint="Give more of the id")
    return found[0]
