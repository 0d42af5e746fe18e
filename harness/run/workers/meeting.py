"""Where workers that nobody conducts meet: small files at a place that all of them can write.

In its folder ``meeting`` are ``ready/PART-SHARD``: a worker has built the requests of a part; ``begin/PART``: when it
begins, which the first to find all of them ready writes for all; ``state/SHARD-N``: how far a worker is, of which the
highest N counts; ``stop``: all shall end. Nothing is ever changed, so that any shared folder or object store will do.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from harness.place import Place
from harness.types import JsonObject

_LEAD_S = {True: 2.0, False: 5.0}
"""From the word to the beginning, by whether the place is a folder: everybody must have read it by then."""
_LOOK_S = {True: 0.1, False: 0.5}
_STATE = re.compile(r"meeting/state/(\d+)-(\d+)")
_TOP = "meeting"
STOP = f"{_TOP}/stop"


class Begin(NamedTuple):
    """When a part begins, and who is not waited for."""

    at: datetime
    without: tuple[int, ...] = ()


class Meeting:
    """The files of one run's workers."""

    def __init__(self, place: Place, shard: int, of: int) -> None:
        self.place = place
        self._shard, self._of = shard, of
        self._near = "://" not in place.shown
        self._number = 0
        self._kept: str | None = None

    @property
    def look_s(self) -> float:
        """Seconds between two looks."""
        return _LOOK_S[self._near]

    def ready(self, part: int) -> None:
        """This worker is ready for a part."""
        self.place.create(f"{_TOP}/ready/{part}-{self._shard}", b"\n", _nobody)

    def fix(self, part: int, at: datetime) -> None:
        """Say when a part begins, where nobody has."""
        self._write(part, Begin(at))

    def begin(self, part: int, *, patient: bool) -> Begin | None:
        """When a part begins; None: not all are there yet, and they are waited for while ``patient``."""
        if (found := self.told(part)) is not None:
            return found
        there = {
            int(name.rpartition("-")[2])
            for name in self.place.sizes(f"{_TOP}/ready")
            if name.startswith(f"{_TOP}/ready/{part}-")
        }
        missing = sorted(set(range(self._of)) - there)
        if missing and patient:
            return None
        at = datetime.now(UTC) + timedelta(seconds=_LEAD_S[self._near])
        self._write(part, Begin(at, tuple(missing)))
        return self.told(part)

    def stopped(self) -> bool:
        """Whether somebody told all of them to end."""
        return self.place.read(STOP) is not None

    def say(self, state: JsonObject) -> None:
        """How far this worker is, in place of what it said before."""
        if self._kept is None:
            numbers = [number for shard, number, _ in _states(self.place) if shard == self._shard]
            self._number = max(numbers, default=0)
        self._number += 1
        name = f"{_TOP}/state/{self._shard}-{self._number}"
        self.place.create(name, json.dumps(state).encode(), _nobody)
        if self._kept is not None:
            self.place.remove(self._kept)
        self._kept = name

    def _write(self, part: int, begin: Begin) -> None:
        told = {"at": begin.at.isoformat(), "without": begin.without}
        self.place.create(f"{_TOP}/begin/{part}", json.dumps(told).encode(), _nobody)

    def told(self, part: int) -> Begin | None:
        """When a part begins; None: nobody has said so yet."""
        told = self.place.read(f"{_TOP}/begin/{part}")
        if told is None:
            return None
        found = json.loads(told)
        return Begin(datetime.fromisoformat(found["at"]), tuple(found["without"]))


def states(place: Place) -> dict[int, JsonObject]:
    """The last that each worker said, by shard."""
    latest: dict[int, tuple[int, str]] = {}
    for shard, number, name in _states(place):
        latest[shard] = max(latest.get(shard, (0, "")), (number, name))
    found = {}
    for shard, (_, name) in sorted(latest.items()):
        if (told := place.read(name)) is not None:  # it may just be taking the place of another
            found[shard] = json.loads(told)
    return found


def _states(place: Place) -> list[tuple[int, int, str]]:
    found = [(name, _STATE.fullmatch(name)) for name in place.sizes(f"{_TOP}/state")]
    return [(int(match[1]), int(match[2]), name) for name, match in found if match]


def _nobody(_: int) -> None:
    """Small files need no progress."""
