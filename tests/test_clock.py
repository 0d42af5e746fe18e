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
    at_ns, now_ns, kernel = clock.arrival(stamp, truth - MS)
    assert kernel
    assert abs(at_ns - truth) < 1000
    assert 69 * MS < now_ns - at_ns < 71 * MS


def test_no_stamp_is_user_time() -> None:
    """Without a stamp the arrival is the time right after the read and says so."""
    _, clock = _clock()
    at_ns, now_ns, kernel = clock.arrival(None, 0)
    assert (kernel, at_ns) == (False, now_ns)


def test_step_is_never_believed() -> None:
    """However far the wall clock was set, packets from before that have user time and later ones kernel time."""
    for step_ms in (3_600_000, 30, 1, -1, -30, -5000):
        clocks, clock = _clock()
        old = clocks.stamped()
        floor = clocks.mono_ns - 100 * MS
        clocks.mono_ns += 2 * MS
        clocks.offset_ns -= step_ms * MS
        clocks.mono_ns += 3 * MS
        _, _, first = clock.arrival(clocks.stamped(), floor)
        clocks.mono_ns += 40 * MS
        _, _, second = clock.arrival(old, floor)  # of another socket, read late
        assert not first, step_ms
        assert not second, step_ms
        clocks.mono_ns += 10_001 * MS
        assert clock.arrival(clocks.stamped(), floor)[2], step_ms


def test_future_and_impossible_past_are_refused() -> None:
    """A stamp after now, or from before the request was sent, is not believed."""
    clocks, clock = _clock()
    floor = clocks.mono_ns
    clocks.mono_ns += 10 * MS
    assert not clock.arrival(clocks.stamped() + 2 * MS, floor)[2]
    assert not clock.arrival(clocks.stamped() - 20 * MS, floor)[2]


def test_order_is_kept() -> None:
    """Rounding never puts an arrival before its predecessor nor after the read."""
    clocks, clock = _clock()
    floor = clocks.mono_ns
    early_ns, _, _ = clock.arrival(clocks.stamped() - 10_000, floor)
    late_ns, read_ns, _ = clock.arrival(clocks.stamped() + 10_000, floor)
    assert early_ns == floor
    assert late_ns == read_ns


def test_an_interrupted_reading_is_no_step() -> None:
    """A pause between the readings of the two clocks, which looks like a step, costs neither belief nor truth."""
    clocks = Clocks()
    pauses = iter([0] * 2 + [30 * MS, 0, 0, 0, 0])

    def wall() -> int:
        clocks.mono_ns += next(pauses, 0)
        return clocks.wall()

    clock = KernelClock(clocks.mono, wall)
    for _ in range(3):
        stamp, truth = clocks.stamped(), clocks.mono_ns
        clocks.mono_ns += MS
        at_ns, _, kernel = clock.arrival(stamp, truth - MS)
        assert kernel
        assert abs(at_ns - truth) < 1000


def test_small_steps_are_followed() -> None:
    """A clock that is set by less than counts as a step is followed at once, so that errors never add up."""
    clocks, clock = _clock()
    for _ in range(100):
        clocks.offset_ns += 20_000
        stamp, truth = clocks.stamped(), clocks.mono_ns
        clocks.mono_ns += MS
        at_ns, _, kernel = clock.arrival(stamp, truth - MS)
        assert kernel
        assert abs(at_ns - truth) < 1000


def test_control_message() -> None:
    """The stamp is found among other control messages; none or a short one gives None."""
    good = (socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", 5, 7))
    assert stamp_of([(0, 1, b"x"), good]) == 5_000_000_007
    assert stamp_of([]) is None
    assert stamp_of([(socket.SOL_SOCKET, SO_TIMESTAMPNS, b"1234")]) is None
