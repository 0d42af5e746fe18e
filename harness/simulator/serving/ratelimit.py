"""Rate limits and the headers that tell of them."""

from __future__ import annotations

import math

_ROOMY = 1_000_000
"""What is told as the limit where there is none."""


class Bucket:
    """A token bucket that holds one minute's allowance; without a limit it counts and never refuses."""

    def __init__(self, per_minute: int | None) -> None:
        self.limit = _ROOMY if per_minute is None else per_minute
        self._enforced = per_minute is not None
        self._level = float(self.limit)
        self._at_ns = 0

    def take(self, amount: int, now_ns: int) -> float | None:
        """Take so much out; seconds until it would be there when it is not, and None when it was.

        More than the bucket holds is let through when it is full: it could never be served otherwise.
        """
        self._fill(now_ns)
        needed = min(amount, self.limit)
        if self._enforced and self._level < needed:
            return (needed - self._level) * 60 / self.limit
        self._level = max(0.0, self._level - amount)
        return None

    def headers(self, unit: str, now_ns: int, mutants: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
        """The three headers of this limit, with the deviations of ``mutants``."""
        self._fill(now_ns)
        full = (self.limit - self._level) * 60 / self.limit
        left = math.floor(self._level)
        left = (
            self.limit if "rate_headers_still" in mutants else self.limit + 1 if "rate_headers_odd" in mutants else left
        )
        return [
            (f"x-ratelimit-limit-{unit}", str(self.limit)),
            (f"x-ratelimit-remaining-{unit}", str(left)),
            (f"x-ratelimit-reset-{unit}", duration(full)),
        ]

    def _fill(self, now_ns: int) -> None:
        # A pipelined request may have been read before one that was answered already.
        gained = max(0, now_ns - self._at_ns) * 1e-9 * self.limit / 60
        self._level = min(float(self.limit), self._level + gained) if self._at_ns else self._level
        self._at_ns = max(self._at_ns, now_ns)


def duration(seconds: float) -> str:
    """A time as these headers give it: ``6m0s``, ``1.5s``, ``20ms``.

    Source: OpenAI, "Rate limits", the table of headers.
    """
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
