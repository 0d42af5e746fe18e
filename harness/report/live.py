"""A run that is being measured, from the outside: what its journals say so far.

The run is not disturbed: its files are read from where the last look ended, nothing is locked, and what an answer holds
is not judged before the run's own end. So a wrong answer still counts as answered here.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness.errors import StoreError
from harness.record.folder import RunFolder, list_runs
from harness.record.line import record_of
from harness.store.overview import status_of
from harness.types import JsonObject

_MOST_BYTES = 16 << 20
"""Read of one journal at a look; a look that finds more says that it is behind."""
_RECENT_S = 10.0
"""Over which the pace is taken."""
_LAST = 200
"""Answers whose first bytes the median is taken of."""


class Row(NamedTuple):
    """An endpoint of a run under way."""

    endpoint: str
    tries: int
    """Attempts that ended."""
    failed: dict[str, int]
    """Of them, by kind of failure; an HTTP status of 400 and more is ``http_4xx`` or ``http_5xx``."""
    first_byte_ms: float | None
    """Median from the first byte sent to the end of the headers over the last answers. None: none came."""


class Progress(NamedTuple):
    """How far a run is."""

    planned: int | None
    """Requests. None: not stated yet."""
    done: int
    """Of them, those that were tried, and retries not counted."""
    per_s: float
    """Attempts that ended in a second, over the last ten."""
    left_s: float | None
    """Time to the end at this pace. None: nothing is known of it."""
    last: datetime | None
    """When the last attempt ended, UTC. None: none did."""
    stage: str | None
    """What the last attempt was of."""
    rows: list[Row]
    behind: bool
    """Whether more is in the journals than one look reads."""


@dataclass
class _Count:
    tries: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    first_bytes_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LAST))


class Watched:
    """Follows the journals of one run; threads may share it."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._guard = threading.Lock()
        self._read: dict[Path, int] = {}
        self._clock: dict[Path, tuple[int, datetime]] = {}
        self._counts: defaultdict[str, _Count] = defaultdict(_Count)
        self._done = 0
        self._ends: deque[datetime] = deque()
        self._last: tuple[datetime, str] | None = None

    def look(self, now: datetime | None = None) -> Progress:
        """Read what was written since the last look.

        Errors: StoreError when the manifest or a whole line of a journal cannot be read.
        """
        now = now or datetime.now(UTC)
        with self._guard:
            behind = [self._take_in(path) for path in self._run.journals()]
            planned = self._run.read_manifest().get("planned")
            while self._ends and (now - self._ends[0]).total_seconds() > _RECENT_S:
                self._ends.popleft()
            per_s = len(self._ends) / _RECENT_S
            left = planned - self._done if isinstance(planned, int) else None
            return Progress(
                planned=planned if isinstance(planned, int) else None,
                done=self._done,
                per_s=per_s,
                left_s=max(0, left) / per_s if left is not None and per_s else None,
                last=self._last[0] if self._last else None,
                stage=self._last[1] if self._last else None,
                rows=[
                    Row(name, of.tries, dict(of.failed), median(of.first_bytes_ms) if of.first_bytes_ms else None)
                    for name, of in sorted(self._counts.items())
                ],
                behind=any(behind),
            )

    def _take_in(self, path: Path) -> bool:
        """Read whole lines from where the last look ended; gives whether more is left."""
        start = self._read.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(_MOST_BYTES)
            if len(data) == _MOST_BYTES and b"\n" not in data:
                data += file.readline()
            more = bool(file.read(1))
        whole = data[: data.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        for line in whole.splitlines(keepends=True):
            try:
                self._count(path, record_of(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(f"{path}: a line cannot be read: {type(error).__name__}") from error
        return more

    def _count(self, path: Path, record: JsonObject) -> None:
        if record["type"] == "session":
            self._clock[path] = record["mono_ns"], datetime.fromisoformat(record["wall"])
            return
        job, exchange = record["job"], record["exchange"]
        marks, failure, status = exchange["marks"], exchange["failure"], exchange["status"]
        of = self._counts[job["endpoint"]]
        of.tries += 1
        self._done += record["number"] == 0
        if failure is not None:
            of.failed[failure["kind"]] += 1
        elif status is not None and status >= 400 and job["kind"] != "probe":
            of.failed[f"http_{status // 100}xx"] += 1
        elif "hdr_ns" in marks and "send0_ns" in marks:
            of.first_bytes_ms.append((marks["hdr_ns"] - marks["send0_ns"]) / 1e6)
        ended_ns = max(marks.values(), default=record["admit_ns"])
        if path in self._clock:
            mono_ns, wall = self._clock[path]
            at = wall + timedelta(microseconds=(ended_ns - mono_ns) / 1e3)
            self._ends.append(at)
            if self._last is None or at >= self._last[0]:
                self._last = at, job["stage"]


def under_way(results: Path, ended: Collection[str]) -> list[RunFolder]:
    """The runs that a process is writing now, the oldest first; those whose id is in ``ended`` are not looked at.

    A run whose manifest cannot be read is none of them.
    """
    found = []
    for run in list_runs(results):
        if run.id in ended:
            continue
        try:
            if status_of(run, run.read_manifest()) == "running":
                found.append(run)
        except StoreError:
            continue
    return found
