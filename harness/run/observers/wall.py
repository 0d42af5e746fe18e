"""The calendar clock beside the monotonic one: durations never depend on it, but a jump of it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

JUMP_S = 1.0
"""A clock that is kept by a time service is moved by less in a run."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment on both clocks."""

    wall: datetime = field(default_factory=_now)
    mono_ns: int = field(default_factory=time.perf_counter_ns)

    def jump_s(self) -> float | None:
        """Seconds by which the calendar clock has moved against the monotonic one since; None: less than ``JUMP_S``.

        Above 0 it was set forward, or the machine slept, which a monotonic clock does not count.
        """
        moved = (_now() - self.wall).total_seconds() - (time.perf_counter_ns() - self.mono_ns) / 1e9
        return round(moved, 3) if abs(moved) >= JUMP_S else None
