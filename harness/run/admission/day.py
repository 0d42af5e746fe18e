"""Requests of one day: counted over all runs of this user, in the cache folder, a share of them taken at a time."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO

from harness import memory

_SHARE = 20
"""A process takes this part of the day's requests at once, so that a request seldom costs a look into the file."""
_MOST_AT_ONCE = 100


class Day:
    """What one provider may still be asked today; processes that run at the same time take from the same count.

    A share that was taken and not used is given back by ``close``; a killed process keeps it, so that the count errs
    on the safe side. Where there is no cache folder, or it cannot be written, the count is that of this process.
    """

    def __init__(self, provider: str, most: int) -> None:
        """``most``: requests from midnight to midnight, UTC."""
        self._provider = provider
        self._most = most
        self._date = ""
        self._taken = 0
        """Requests that were taken from the day's count and not sent yet."""
        self._here = 0
        """Requests of this process, where there is no file to count in."""

    def take(self) -> bool:
        """Count one more request; whether it may be sent today."""
        today = datetime.now(UTC).date().isoformat()
        if today != self._date:
            self._date, self._taken, self._here = today, 0, 0
        if not self._taken:
            self._taken = self._add(max(1, min(self._most // _SHARE, _MOST_AT_ONCE)))
        if not self._taken:
            return False
        self._taken -= 1
        return True

    def close(self) -> None:
        """Give back what was taken and not used."""
        if self._taken and self._date == datetime.now(UTC).date().isoformat():
            self._add(-self._taken)
        self._taken = 0

    def _add(self, wanted: int) -> int:
        """Add to the day's count, as far as it goes; how many were added."""
        try:
            with self._counted() as file:
                if file is not None:
                    used = _read(file, self._date)
                    added = max(min(wanted, self._most - used), -used if wanted < 0 else 0)
                    file.seek(0)
                    file.truncate()
                    file.write(json.dumps({"date": self._date, "requests": used + added}))
                    return added
        except OSError:
            pass  # a cache folder that cannot be written is none
        added = min(wanted, self._most - self._here)
        self._here += added
        return added

    @contextmanager
    def _counted(self) -> Iterator[IO[str] | None]:
        """The file of the count, locked; None: there is no place for one."""
        kept = memory.folder("days")
        if kept is None:
            yield None
            return
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (kept / f"{self._provider}.json").open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed
            yield file


def _read(file: IO[str], date: str) -> int:
    """Requests counted on that date; a file of another day, or of something else, counts none."""
    file.seek(0)
    try:
        kept = json.loads(file.read(1_000))
        return max(0, int(kept["requests"])) if kept["date"] == date else 0
    except (ValueError, TypeError, KeyError):
        return 0
