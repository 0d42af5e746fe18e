"""From the kernel's arrival stamp of a packet to the monotonic clock of every mark.

The kernel stamps packets on the wall clock (``CLOCK_REALTIME``). On Linux the distance between the wall clock and
``CLOCK_MONOTONIC`` changes only when somebody sets the wall clock (both are slewed alike), so a distance
that differs from the one seen before is a clock step, and stamps taken around it are not believed.

Source: socket(7) ``SO_TIMESTAMPNS``; Linux ``Documentation/networking/timestamping.rst`` section 1.1; clock_gettime(2).
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence

SO_TIMESTAMPNS = 35
"""Of Linux on 64-bit machines; Python's ``socket`` has no name for it. The control message has the same number."""

_SUPPORTED = sys.platform == "linux" and sys.maxsize > 2**32
_TIMESPEC = struct.Struct("@ll")
CONTROL_SIZE = socket.CMSG_SPACE(_TIMESPEC.size) if _SUPPORTED else 0
"""Bytes to offer ``recvmsg`` for control messages."""

_NEAR_NS = 5_000
"""A single pair of clock readings that agrees so well with the known distance needs no closer look."""
_WIDE_NS = 20_000
"""A pair of clock readings further apart than this was interrupted and is taken again."""
_SLACK_NS = 50_000
"""Tolerance of every comparison: below it a difference is measuring error."""
_DOUBT_MAX_NS = 10_000_000_000
"""Longest time after a backward step in which old packets may still lie unread in a socket."""


def stamp(sock: socket.socket) -> bool:
    """Ask the kernel to stamp what this socket receives; call it before ``connect``. False: it does not do that."""
    if not _SUPPORTED:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def stamp_of(control: Sequence[tuple[int, int, bytes]]) -> int | None:
    """Nanoseconds of the wall clock in the control messages of one ``recvmsg``; None: no stamp."""
    for level, kind, data in control:
        if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            stamp_ns: int = seconds * 1_000_000_000 + nanoseconds
            return stamp_ns
    return None


class KernelClock:
    """Converts kernel stamps; one for all connections of a pool, so that a step seen by one warns all."""

    def __init__(self, mono: Callable[[], int] = time.perf_counter_ns, wall: Callable[[], int] = time.time_ns) -> None:
        self._mono = mono
        self._wall = wall
        self._believed_from_ns = 0
        self._offset_ns, self._width_ns, _ = self._sample()

    def arrival(self, stamp_ns: int | None, floor_ns: int) -> tuple[int, int, bool]:
        """Convert the stamp of a read that has just returned.

        ``stamp_ns`` is wall-clock nanoseconds, None: the kernel gave none. ``floor_ns`` is the monotonic time before
        which the bytes cannot have arrived: the previous read of the connection, or the sending of the request.
        Gives, in monotonic nanoseconds, when the bytes arrived (the kernel's stamp where it is believed, else now) and
        the time right after the read; and whether the arrival is the kernel's.
        """
        mono, wall = self._mono, self._wall  # calling an attribute that is no method is slow in Python
        now_ns = mono()
        if stamp_ns is None:
            return now_ns, now_ns, False
        # Both clocks are read at every arrival, so no step stays unseen; the exact distance is measured only when one
        # pair of readings disagrees with the known one, which an interruption between the two does now and then.
        if not -_NEAR_NS < now_ns - wall() - self._offset_ns < _NEAR_NS:
            self._look_for_step()
        at_ns = stamp_ns + self._offset_ns
        if floor_ns <= at_ns <= now_ns and at_ns >= self._believed_from_ns:
            return at_ns, now_ns, True
        if max(floor_ns - _SLACK_NS, self._believed_from_ns) <= at_ns <= now_ns + _SLACK_NS:
            return min(max(at_ns, floor_ns), now_ns), now_ns, True
        return now_ns, now_ns, False

    def _look_for_step(self) -> None:
        offset_ns, width_ns, after_ns = self._sample()
        change_ns = offset_ns - self._offset_ns
        if abs(change_ns) > (width_ns + self._width_ns) // 2 + _SLACK_NS:
            # Packets stamped before the step come out wrong by the step: early after a step forward, late after a
            # step backward (the offset grew). Both lie before this bound; true stamps of later packets do not.
            self._believed_from_ns = after_ns + min(max(0, change_ns), _DOUBT_MAX_NS)
        self._offset_ns, self._width_ns = offset_ns, width_ns

    def _sample(self) -> tuple[int, int, int]:
        """Monotonic minus wall, width of the sandwich (twice its error), last reading; nanoseconds."""
        best: tuple[int, int] | None = None
        for _ in range(3):
            before_ns = self._mono()
            wall_ns = self._wall()
            after_ns = self._mono()
            found = (after_ns - before_ns, (before_ns + after_ns) // 2 - wall_ns)
            best = found if best is None else min(best, found)
            if best[0] <= _WIDE_NS:
                break
        assert best is not None
        return best[1], best[0], after_ns
