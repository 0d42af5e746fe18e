"""What the simulator did, in its own time: one line of JSON for each request."""

from __future__ import annotations

import asyncio
import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import CannotMeasure
from harness.simulator.surfaces.shapes import dumps
from harness.types import JsonObject

_EVERY_S = 0.5
_BUCKET_NS = 10_000
_BUCKETS = 20_000


class TimingLog:
    """Lines are gathered and written by a thread twice a second, so that no disk delays a send.

    The first line has ``type`` start, the last one ``type`` end with the lateness of all token writes against their
    schedule; the others are ``type`` request. All times are ``perf_counter_ns`` taken right before the write.
    """

    def __init__(self, path: Path | None) -> None:
        """``path`` None: nothing is written. CannotMeasure when the file cannot be."""
        self._file = -1
        if path is not None:
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise CannotMeasure(f"cannot write the log {path}: {error.strerror}") from None
        self._lines: list[bytes] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._flusher: asyncio.TimerHandle | None = None
        self._late = array("Q", bytes(8 * _BUCKETS))
        self._latest_ns = 0
        self._sends = 0

    def late(self, ns: int) -> None:
        """Count one token write that was ``ns`` behind its schedule."""
        self._late[min(max(ns, 0) // _BUCKET_NS, _BUCKETS - 1)] += 1
        self._latest_ns = max(self._latest_ns, ns)
        self._sends += 1

    def add(self, record: JsonObject) -> None:
        """Log one line, some time soon."""
        if self._file < 0:
            return
        self._lines.append(dumps(record) + b"\n")
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().call_later(_EVERY_S, self._flush)

    def close(self) -> None:
        """Write what is left, and the last line."""
        self.add({"type": "end", "token_writes": self._sends, **self.lateness()})
        if self._flusher is not None:
            self._flusher.cancel()
        self._flush()
        self._writer.shutdown()
        if self._file >= 0:
            os.close(self._file)

    def lateness(self) -> dict[str, float | None]:
        """How late token writes were, in milliseconds, to 0.01 ms; None: there were none."""
        shares = {"late_p50_ms": 0.5, "late_p99_ms": 0.99}
        told: dict[str, float | None] = {name: self._quantile(share) for name, share in shares.items()}
        told["late_max_ms"] = round(self._latest_ns / 1e6, 3) if self._sends else None
        return told

    def _quantile(self, share: float) -> float | None:
        seen = 0
        for bucket, number in enumerate(self._late):
            seen += number
            if number and seen >= share * self._sends:
                return round((bucket + 1) * _BUCKET_NS / 1e6, 3)
        return None

    def _flush(self) -> None:
        self._flusher = None
        lines, self._lines = self._lines, []
        if lines and self._file >= 0:
            self._writer.submit(_write, self._file, b"".join(lines))


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
