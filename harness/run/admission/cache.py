"""Answers of earlier runs to the same request, kept in the user's cache folder where the user asks for it.

The key is everything that decides an answer: address, method, path, headers, every byte of the body, and the repeat, so
that answers drawn at random stay as many as were asked for. An answer is kept as the line of the journal that it was
first recorded as, without any key. What is taken from here has ``Exchange.cached`` set: it is an answer, and no
measurement of anything. Loads and probes never look here.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson

from harness import memory
from harness.errors import StoreError, UsageError
from harness.exchange import Exchange
from harness.provider import Provider
from harness.record.line import from_line, to_line
from harness.types import Attempt, Job, Request

MAX_BYTES = 512 * 1024 * 1024
"""Of all answers together; beyond it those go that were not used for longest."""
_MAX_ANSWER = 8 * 1024 * 1024
_PATIENCE_MS = 2_000
_AT_ONCE = 64
"""Answers that are written together; a killed process loses so many from the cache, and none from its journal."""
_TABLE = """
create table if not exists answers (
    key blob primary key, line blob not null, bytes integer not null, used integer not null
) without rowid
"""
_ADD = "insert or replace into answers (key, line, bytes, used) values (?, ?, ?, unixepoch())"
_USED = "update answers set used = unixepoch() where key = ?"
_FORGET = """
delete from answers where key in (
    select key from (select key, sum(bytes) over (order by used, key) as gone from answers) where gone <= ?
)
"""


def key_of(provider: Provider, request: Request, repeat: int) -> bytes:
    """SHA-256 of all that decides the answer to a request; the key that signs it is not part of it."""
    given = (provider.headers, request.headers)
    place = [provider.base_url, sorted(provider.query.items())]
    headers = sorted((name.lower(), text) for each in given for name, text in each.items())
    parts = [place, request.method, request.path, request.auth, headers, request.stream, repeat]
    return hashlib.sha256(orjson.dumps(parts) + b"\n" + (request.body or b"")).digest()


class Answers:
    """The kept answers; one process may use it from one thread, several processes share the file."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """``tell`` is told in one line where the cache fails, which costs nothing but the answers in it.

        Raises UsageError where there is no cache folder.
        """
        folder = memory.folder("answers")
        if folder is None:
            raise UsageError("--cache has no place to keep answers", hint="Unset HARNESS_NO_CACHE")
        self._tell = tell
        self._base: sqlite3.Connection | None = None
        self._new: dict[bytes, bytes] = {}
        self._used: list[tuple[bytes]] = []
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = _open(folder / "answers.sqlite")
        except (OSError, sqlite3.Error) as error:
            self._fail(error)

    def find(self, provider: Provider, job: Job, request: Request) -> Exchange | None:
        """The kept exchange of an identical request, marked as cached; None: there is none."""
        if self._base is None or job.kind in ("load", "probe"):
            return None
        key = key_of(provider, request, job.repeat)
        try:
            row = self._base.execute("select line from answers where key = ?", [key]).fetchone()
        except sqlite3.Error as error:
            self._fail(error)
            return None
        if row is None:
            return None
        try:
            kept = from_line(row[0])
        except StoreError:  # written by another version
            return None
        self._used.append((key,))
        return replace(kept.exchange, cached=True)

    def keep(self, provider: Provider, attempt: Attempt) -> None:
        """Keep the answer of an attempt that was good; as it was journalled, so without secrets."""
        if self._base is None or attempt.exchange.cached or attempt.job.kind in ("load", "probe"):
            return
        line = to_line(attempt)
        if len(line) <= _MAX_ANSWER:
            self._new[key_of(provider, attempt.request, attempt.job.repeat)] = line
        if len(self._new) >= _AT_ONCE:
            self._write(self._base)

    def close(self) -> None:
        """Write what was added, and let go of what was not used for longest where it is too much."""
        if self._base is None:
            return
        try:
            self._base.execute(f"pragma busy_timeout = {_PATIENCE_MS}")
            self._write(self._base)
            _shrink(self._base)
            self._base.close()
        except sqlite3.Error as error:
            self._fail(error)
        self._base = None

    def _write(self, base: sqlite3.Connection) -> None:
        """Write in one go, so that other processes seldom wait; where one of them is at it, the next time will do."""
        try:
            with base:
                base.executemany(_ADD, [(key, line, len(line)) for key, line in self._new.items()])
                base.executemany(_USED, self._used)
        except sqlite3.OperationalError:
            if len(self._new) < 16 * _AT_ONCE:
                return
        except sqlite3.Error as error:
            self._fail(error)
        self._new.clear()
        self._used.clear()

    def _fail(self, error: Exception) -> None:
        self._tell(f"the cache of answers cannot be used ({error}); all is asked")
        if self._base is not None:
            self._base.close()
        self._base = None


def _open(path: Path) -> sqlite3.Connection:
    """Open the file; one that is damaged is replaced."""
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, timeout=0)
    try:
        base.execute("pragma auto_vacuum = incremental")
        base.execute("pragma journal_mode = wal")
        base.execute("pragma synchronous = off")  # it may be lost at any time
        base.execute(_TABLE)
        base.commit()
    except sqlite3.Error:
        base.close()
        raise
    return base


def _shrink(base: sqlite3.Connection) -> None:
    (held,) = base.execute("select coalesce(sum(bytes), 0) from answers").fetchone()
    if held > MAX_BYTES:
        with base:
            base.execute(_FORGET, [held - MAX_BYTES * 3 // 4])
        base.execute("pragma incremental_vacuum").fetchall()
