"""Arrival laws: when the requests of one stage are due. Pure: no clock, no sleeping.

A closed loop keeps a fixed number of requests under way and has no due times: the next one starts when a slot is
free. An open law names every due time beforehand, so a slow server cannot slow the asking down (coordinated
omission: Gil Tene, "How NOT to Measure Latency", 2015).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Closed:
    """A fixed number of requests under way at any time."""

    concurrency: int

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``c4``."""
        return f"c{self.concurrency}"


@dataclass(frozen=True, slots=True)
class Constant:
    """One request every ``1 / rate_per_s`` seconds, whatever the server does."""

    rate_per_s: float

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``r2.5``."""
        return f"r{self.rate_per_s:g}"


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent users: exponential gaps with mean ``1 / rate_per_s`` seconds."""

    rate_per_s: float

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``p2.5``."""
        return f"p{self.rate_per_s:g}"


Law = Closed | Constant | Poisson


def offsets_ns(law: Constant | Poisson, seed: int) -> Iterator[int]:
    """Due times in ns since the stage's start, without end; the same seed gives the same times."""
    gap_ns = 1e9 / law.rate_per_s
    draw = random.Random(seed)  # noqa: S311 - a reproducible schedule, not a secret
    due = 0.0
    while True:
        yield round(due)
        due += gap_ns * draw.expovariate(1.0) if isinstance(law, Poisson) else gap_ns
