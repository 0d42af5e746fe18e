"""How far the monotonic clocks of two hosts are apart, and how exactly that is known.

A question and its answer bound it: the other clock was read at some moment between the two, so that half the round trip
is the most that the middle can be wrong by, whichever way took longer. The shortest of many round trips bounds it best.
Source: D. Mills, RFC 5905 (2010), section 8.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from harness.types import JsonObject

PROBES = 50
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/time")


class Offset(NamedTuple):
    """What is to be added to a time of this clock to have that of the other one, in ns."""

    offset_ns: int
    bound_ns: int
    """The most by which it can be wrong: half the best round trip."""
    probes: int


def here() -> JsonObject:
    """``host``: name of this machine; ``clock``: which monotonic clock it reads; None: nobody can tell.

    Two processes with an equal ``clock`` read the very same one. A start of the system begins another, and a time
    namespace may shift it. Source: time_namespaces(7).
    """
    try:
        clock = f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:  # not Linux
        clock = None
    return {"host": platform.node(), "clock": clock}


def best(probes: list[tuple[int, int, int]]) -> Offset:
    """The offset by the probe with the shortest round trip.

    ``probes``: time of the question, time of the other clock in the answer, time of the answer, each in ns.
    """
    asked, other, answered = min(probes, key=lambda one: one[2] - one[0])
    # Rounded up, for the bound must hold.
    return Offset(other - (asked + answered) // 2, (answered - asked + 1) // 2 + 1, len(probes))


async def measured(read: Callable[[], Awaitable[int]], n: int = PROBES) -> Offset:
    """The offset of a clock that ``read`` asks another host for."""
    probes = []
    for _ in range(n):
        asked = time.perf_counter_ns()
        other = await read()
        probes.append((asked, other, time.perf_counter_ns()))
    return best(probes)
