"""The clock that turns kernel stamps into monotonic times, on made-up clocks."""

from __future__ import annotations

import socket
import struct

from harness.wire.clock import SO_TIMESTAMPNS, KernelClock, stamp_of

MS = 1_000_000


class Clocks:
    """A monotonic and a wall clock that move only when told; the wall may be set."""

    def __init__(self) -> None:
        self.mono_ns = 1_000_000 * MS
        self.offset_ns = -1_700_000_000_000 * MS

    def mono(self) -> int:
        """Monotonic nanoseconds."""
        self.mono_ns += 50  # a reading takes a moment
        return self.mono_ns

    def wall(self) -> int:
        """Wall-clock nanoseconds."""
        return self.mono_ns - self.offset_ns

    def stamped(self) -> int:
        """What the kernel would write on a packet that arrives now."""
        return self.wall()


def _clock() -> tuple[Clocks, KernelClock]:
    clocks = Clocks()
    return clocks, KernelClock(clocks.mono, clocks.wall)


def test_stamp_is_converted() -> None:
    """A stamp comes out as the monotonic time of the arrival, however late the read is."""
    clocks, clock = _clock()
    stamp, truth = clocks.stamped(), clocks.mono_ns
    clocks.mono_ns += 70 * MS
    arrival = clock.arrival(stamp, truth - MS)
    assert arrival.kernel
    assert abs(arrival.at_ns - truth) < 1000
    assert 69 * MS < arrival.now_ns - arrival.at_ns < 71 * MS


def test_no_stamp_is_user_time() -> None:
    """Without a stamp the arrival is the time right after the read and says so."""
    _, clock = _clock()
    arrival = clock.arrival(None, 0)
    assert (arrival.kernel, arrival.at_ns) == (False, arrival.now_ns)


def test_step_is_never_believed() -> None:
    """However far the wall clock was set, packets from before that have user time and later ones kernel time."""
    for step_ms in (3_600_000, 30, 1, -1, -30, -5000):
        clocks, clock = _clock()
        old = clocks.stamped()
        floor = clocks.mono_ns - 100 * MS
        clocks.mono_ns += 2 * MS
        clocks.offset_ns -= step_ms * MS
        clocks.mono_ns += 3 * MS
        first = clock.arrival(clocks.stamped(), floor)
        clocks.mono_ns += 40 * MS
        second = clock.arrival(old, floor)  # of another socket, read late
        assert not first.kernel, step_ms
        assert not second.kernel, step_ms
        clocks.mono_ns += 10_001 * MS
        assert clock.arrival(clocks.stamped(), floor).kernel, step_ms


def test_future_and_impossible_past_are_refused() -> None:
    """A stamp after now, or from before the request was sent, is not believed."""
    clocks, clock = _clock()
    floor = clocks.mono_ns
    clocks.mono_ns += 10 * MS
    assert not clock.arrival(clocks.stamped() + 2 * MS, floor).kernel
    assert not clock.arrival(clocks.stamped() - 20 * MS, floor).kernel


def test_order_is_kept() -> None:
    """Rounding never puts an arrival before its predecessor nor after the read."""
    clocks, clock = _clock()
    floor = clocks.mono_ns
    early = clock.arrival(clocks.stamped() - 10_000, floor)
    late = clock.arrival(clocks.stamped() + 10_000, floor)
    assert early.at_ns == floor
    assert late.at_ns == late.now_ns


def test_control_message() -> None:
    """The stamp is found among other control messages; none or a short one gives None."""
    good = (socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", 5, 7))
    assert stamp_of([(0, 1, b"x"), good]) == 5_000_000_007
    assert stamp_of([]) is None
    assert stamp_of([(socket.SOL_SOCKET, SO_TIMESTAMPNS, b"1234")]) is None
