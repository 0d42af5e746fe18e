"""The journal: every attempt as one line, appended the moment it ends, and read back as the same record.

A line is written by one ``write`` on a file opened for appending, so a killed process loses no line that
``append`` returned from; what a power cut can take is bounded by an fsync each second. Only the last line of a file
can be torn, and it is cut off when the journal is opened again.

A line of type ``session`` is written once for each opening, then one of type ``attempt`` for each attempt, as
``harness.record.line`` has it. Keys are taken out before anything is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from harness.errors import StoreError, UsageError
from harness.record.folder import RunFolder, store_error, storing
from harness.record.line import VERSION, from_line, line_of, record_of, to_line
from harness.secrets.redaction import redact
from harness.types import Attempt

SYNC_EVERY_S = 1.0
_SESSION_START = tuple(b'{"v":%d,"type":"session"' % version for version in range(1, VERSION + 1))
_SCAN_BYTES = 1 << 16
_READ_BYTES = 1 << 20
"""Lines of streams are long: a smaller buffer would have each put together from many reads."""


class Session(NamedTuple):
    """One opening of a journal: ties the monotonic clock of its process to the calendar."""

    shard: int
    session: int
    """1 for the first of its shard."""
    mono_ns: int
    """``time.perf_counter_ns`` at ``wall``."""
    wall: datetime
    pid: int


# --- writing ---------------------------------------------------------------------------------------------


class Journal:
    """The appending end of one shard's journal; one process at a time, threads may share it.

    ``secrets`` are the key values of the run: any occurrence in what is stored is replaced by ``[redacted]``;
    they themselves are kept in memory only. The list may grow while the journal is open, as tokens follow each other.
    Errors: StoreError when another process writes it, or the disk refuses.
    """

    def __init__(self, folder: RunFolder, shard: int = 0, *, secrets: Sequence[str] = ()) -> None:
        self.path = folder.journal_path(shard)
        self._secrets = secrets
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._dirty = False
        self.appended = 0
        """Attempts written through this opening."""
        self._sync_error: OSError | None = None
        with storing(self.path):
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.path} is being written by another process") from None
            with storing(self.path):
                self._size = _cut_torn_tail(self._descriptor)
                line = _session_line(_count_sessions(self.path) + 1)
                self._write(line)
            self.session = _session(self.path, line)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._syncer = threading.Thread(target=self._sync_each_second, name="journal-sync", daemon=True)
        self._syncer.start()

    def append(self, attempt: Attempt) -> Attempt:
        """Write one attempt; after the return a killed process no longer loses it.

        Gives the attempt as it was written: without the secrets of the run.
        Errors: StoreError when the disk refuses; the file then ends with the last whole line.
        """
        attempt = redact(attempt, tuple(self._secrets))
        line = to_line(attempt)
        if self._sync_error is not None:
            raise store_error(self._sync_error, self.path) from self._sync_error
        with self._guard, storing(self.path):
            self._write(line)
            self.appended += 1
        return attempt

    def close(self) -> None:
        """Have everything on the disk and let the file go; a second call does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._syncer.join()
        try:
            with storing(self.path):
                os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        """One write for one line; a line that does not fit on the disk is taken back whole."""
        try:
            done = os.write(self._descriptor, line)
            while done < len(line):  # a nearly full disk takes a part, the next try says why
                done += os.write(self._descriptor, line[done:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
        self._dirty = True

    def _sync_each_second(self) -> None:
        while not self._stop.wait(SYNC_EVERY_S):
            if self._dirty:
                self._dirty = False
                try:
                    os.fsync(self._descriptor)
                except OSError as error:
                    self._sync_error = error
                    return


def _session_line(number: int) -> bytes:
    wall = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    anchor = {"session": number, "mono_ns": time.perf_counter_ns(), "wall": wall, "pid": os.getpid()}
    return line_of({"v": VERSION, "type": "session", **anchor})


def _cut_torn_tail(descriptor: int) -> int:
    """Cut what follows the last line end, the trace of a write that was cut short; give the new size."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _SCAN_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def _count_sessions(path: Path) -> int:
    with path.open("rb") as file:
        return sum(line.startswith(_SESSION_START) for line in file)


# --- reading ---------------------------------------------------------------------------------------------


def entries(folder: RunFolder, *, purged_too: bool = False) -> Iterator[tuple[Session, Attempt]]:
    """Every attempt of every shard with the session it was made in, in the order written.

    A torn last line is passed over, so a run can be read while it is written.
    Errors: StoreError naming file and line for any other line that cannot be read; UsageError where texts were purged,
    unless ``purged_too``.
    """
    for path in folder.journals():
        session: Session | None = None
        for number, line in _whole_lines(path):
            try:
                if line.startswith(_SESSION_START):
                    session = _session(path, line)
                    continue
                attempt = from_line(line)
                if session is None:
                    raise StoreError("attempt before any session line")
            except StoreError as error:
                raise StoreError(f"{path}:{number}: {error.what}", hint=error.hint) from error
            if attempt.exchange.purged and not purged_too:
                raise purged(folder)
            yield session, attempt


def purged(folder: RunFolder) -> UsageError:
    """What is said where something is to be made of texts that are no longer there."""
    return UsageError(f"the texts of run {folder.id} were purged: nothing can be made of them any more")


def read_attempts(folder: RunFolder) -> Iterator[Attempt]:
    """Every attempt of every shard, in the order written; errors as ``entries``."""
    return (attempt for _, attempt in entries(folder))


def attempts_of(folder: RunFolder, jobs: Collection[str]) -> Iterator[Attempt]:
    """The attempts of a few jobs, in the order written: only lines that hold the id of one of them are read as such.

    Errors: as ``entries`` for those lines, but for purged texts.
    """
    # The id as it stands in a line of either spelling.
    spelt = [json.dumps(job, ensure_ascii=escaped) for job in jobs for escaped in (True, False)]
    names = [name[1:-1].encode(errors="replace") for name in spelt]
    for path in folder.journals():
        for number, line in _whole_lines(path):
            if any(name in line for name in names) and not line.startswith(_SESSION_START):
                try:
                    attempt = from_line(line)
                except StoreError as error:
                    raise StoreError(f"{path}:{number}: {error.what}", hint=error.hint) from error
                if attempt.job.id in jobs:
                    yield attempt


def sessions(folder: RunFolder) -> list[Session]:
    """The openings of every shard's journal, in the order written; errors as ``entries``."""
    return [
        _session(path, line)
        for path in folder.journals()
        for _, line in _whole_lines(path)
        if line.startswith(_SESSION_START)
    ]


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with storing(path), path.open("rb", buffering=_READ_BYTES) as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield number, line


def _session(path: Path, line: bytes) -> Session:
    try:
        record = record_of(line)
        return Session(
            shard=int(path.stem.removeprefix("journal-")),
            session=record["session"],
            mono_ns=record["mono_ns"],
            wall=datetime.fromisoformat(record["wall"]),
            pid=record["pid"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise StoreError(f"session line cannot be read: {type(error).__name__}: {said}") from error
