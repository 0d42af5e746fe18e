"""What an engine does when a client hangs up: it stops, unless a mutant has it go on.

Only engines whose token times are decided while they run (``batch``, ``batch_slowdown``) know how far they were.
"""

from __future__ import annotations

import asyncio

from harness.simulator.engine.batch import Seat
from harness.simulator.profile import Profile

MUTANTS = frozenset({"work_goes_on", "hang_up_breaks"})


class HangUps:
    """Watches the seats of requests for clients that hang up."""

    def __init__(self) -> None:
        self.happened = False
        """Whether a client hung up while its answer was made; only noticed where a mutant minds it."""

    def watch(self, seat: Seat, steps: int, prefill_ns: float, profile: Profile, mutants: frozenset[str]) -> None:
        """Have a seat of so many tokens told about when it is given up before its time."""
        if not profile.live or not mutants & MUTANTS:
            return

        def left_early(at_ns: int) -> bool:
            if seat.granted_ns is None or seat.produced >= steps:
                return False
            self.happened = True
            if "work_goes_on" not in mutants:
                return False
            first = seat.granted_ns + round(profile.ttft_ms * 1e6 + prefill_ns)
            begun = max(0, first - at_ns) if not seat.produced else 0
            left_ns = begun + round((steps - seat.produced) * profile.itl_ms * 1e6)
            asyncio.get_running_loop().call_later(left_ns / 1e9, seat.leave, at_ns + left_ns)
            return True

        seat.left_early = left_early
