"""The journal: every attempt as one line, appended the moment it ends, and read back as the same record.

A line is written by one ``write`` on a file opened for appending, so a killed process loses no line that
``append`` returned from; what a power cut can take is bounded by an fsync each second. Only the last line of a file
can be torn, and it is cut off when the journal is opened again.

Line: ``{"v":1,"type":"session",...}`` once for each opening, then ``{"v":1,"type":"attempt",...}``, each with its
checksum. Bodies are kept whole, as text where they are UTF-8, else as base64; keys are taken out before all writing.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from math import isfinite
from operator import sub
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson

from harness.checksum import check, summed
from harness.errors import StoreError
from harness.exchange import Exchange, Failure, Read, WireMarks
from harness.folder import RunFolder, store_error, storing
from harness.redaction import redact
from harness.types import Attempt, Job, JsonObject, Request

VERSION = 1
SYNC_EVERY_S = 1.0
_SESSION_START = b'{"v":1,"type":"session"'
_SCAN_BYTES = 1 << 16
_READ_BYTES = 1 << 20
"""Lines of streams are long: a smaller buffer would have each put together from many reads."""
_MARKS = tuple(field.name for field in fields(WireMarks))
_read: Callable[[tuple[int, bytes]], Read] = partial(tuple.__new__, Read)
"""``Read._make`` without a Python frame for each read."""
_FAILURE = tuple(field.name for field in fields(Failure))


class Session(NamedTuple):
    """One opening of a journal: ties the monotonic clock of its process to the calendar."""

    shard: int
    session: int
    """1 for the first of its shard."""
    mono_ns: int
    """``time.perf_counter_ns`` at ``wall``."""
    wall: datetime
    pid: int


# --- one line --------------------------------------------------------------------------------------------


def to_line(attempt: Attempt) -> bytes:
    r"""Write an attempt as one line of JSON that ends in ``\n`` and holds no other."""
    failure = attempt.exchange.failure
    return _line(
        {
            "v": VERSION,
            "type": "attempt",
            "job": _job_object(attempt.job),
            "number": attempt.number,
            "sched_ns": attempt.sched_ns,
            "admit_ns": attempt.admit_ns,
            "in_flight": attempt.in_flight,
            "request": _request_object(attempt.request),
            "exchange": _exchange_object(attempt.exchange),
        },
        reals=(attempt.job.give_up_s, failure.retry_after_s if failure else None),
    )


def from_line(line: bytes) -> Attempt:
    """Read a line of ``to_line`` back.

    Errors: StoreError when it is not such a line, or of a newer version.
    """
    try:
        record = _record(line)
        if record["v"] != VERSION:
            raise StoreError(f"journal line has version {record['v']!r}", hint="Update endpoint-harness")
        if record["type"] != "attempt":
            raise StoreError(f"journal line is not an attempt but {record['type']!r}")
        return Attempt(
            job=Job(**record["job"]),
            number=record["number"],
            request=_request(record["request"]),
            exchange=_exchange(record["exchange"]),
            sched_ns=record["sched_ns"],
            admit_ns=record["admit_ns"],
            in_flight=record["in_flight"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]  # it may name what it found, of whatever bytes
        raise StoreError(f"journal line cannot be read: {type(error).__name__}: {said}") from error


def _line(record: JsonObject, reals: Sequence[float | None] = ()) -> bytes:
    """JSON on one line; ``reals`` are the fractions in it.

    ``orjson`` writes nearly every line. It refuses lone surrogates, which UTF-8 has no bytes for and which force the
    escaped form, and it would write an infinity as null.
    """
    if all(real is None or isfinite(real) for real in reals):
        try:
            return summed(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        except orjson.JSONEncodeError:
            pass
    return summed(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")


def _record(line: bytes) -> Any:
    """What a line says; some lines of ``json`` (infinities, lone surrogates) only ``json`` reads."""
    check(line)
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def _body_value(body: bytes | None) -> str | dict[str, str] | None:
    if body is None:
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode("ascii")}


def _body(value: str | dict[str, str] | None) -> bytes | None:
    if value is None:
        return None
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)


def _job_object(job: Job) -> JsonObject:
    """Plans and turns of a load are written only where there are such; lines of before have none of them."""
    record: JsonObject = {
        "id": job.id,
        "endpoint": job.endpoint,
        "kind": job.kind,
        "stage": job.stage,
        "task": job.task,
        "sample": job.sample,
        "repeat": job.repeat,
        "phase": job.phase,
    }
    if job.turn:
        record["turn"] = job.turn
    for name in ("due_ns", "give_up_s", "input_tokens", "output_tokens"):
        value = getattr(job, name)
        if value is not None:
            record[name] = value
    return record


def _request_object(request: Request) -> JsonObject:
    return {
        "path": request.path,
        "method": request.method,
        "stream": request.stream,
        "workload_sha256": request.workload_sha256,
        "headers": dict(request.headers),
        "auth": request.auth,
        "body": _body_value(request.body),
    }


def _request(record: JsonObject) -> Request:
    return Request(**(record | {"body": _body(record["body"])}))


def _exchange_object(exchange: Exchange) -> JsonObject:
    """The reads become their sizes, their times (the first, then steps) and the body they make together."""
    times, marks, failure = [read.at_ns for read in exchange.reads], exchange.marks, exchange.failure
    record: JsonObject = {
        "marks": {name: mark for name in _MARKS if (mark := getattr(marks, name)) is not None},
        "status": exchange.status,
        "headers": exchange.headers,
        "clock": exchange.clock,
        "reused": exchange.reused,
        "failure": None if failure is None else {name: getattr(failure, name) for name in _FAILURE},
        "coalesced_reads": exchange.coalesced_reads,
        "lag_max_ns": exchange.lag_max_ns,
        "tls_version": exchange.tls_version,
        "remote": exchange.remote,
        "read_steps_ns": [*times[:1], *map(sub, times[1:], times)],
        "read_bytes": [len(read.data) for read in exchange.reads],
        "body": _body_value(exchange.body),
    }
    if exchange.cached:
        record["cached"] = True
    return record


def _exchange(record: JsonObject) -> Exchange:
    body = _body(record.pop("body")) or b""
    sizes = record.pop("read_bytes")
    if sum(sizes) != len(body):
        raise StoreError(f"journal line cannot be read: {len(body)} body bytes where {sum(sizes)} are announced")
    times, ends = accumulate(record.pop("read_steps_ns")), list(accumulate(sizes))
    pieces = [body[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    record["reads"] = tuple(map(_read, zip(times, pieces, strict=True)))
    record["marks"] = WireMarks(**record["marks"])
    record["headers"] = tuple((name, value) for name, value in record["headers"])
    record["failure"] = None if record["failure"] is None else Failure(**record["failure"])
    return Exchange(**record)


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
    return _line({"v": VERSION, "type": "session", **anchor})


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


def entries(folder: RunFolder) -> Iterator[tuple[Session, Attempt]]:
    """Every attempt of every shard with the session it was made in, in the order written.

    A torn last line is passed over, so a run can be read while it is written.
    Errors: StoreError naming file and line for any other line that cannot be read.
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
            yield session, attempt


def read_attempts(folder: RunFolder) -> Iterator[Attempt]:
    """Every attempt of every shard, in the order written; errors as ``entries``."""
    return (attempt for _, attempt in entries(folder))


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
        record = _record(line)
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
