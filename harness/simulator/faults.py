"""What befalls one request: drawn from the seed and the request itself, so that a run can be repeated."""

from __future__ import annotations

import hashlib
import random
from collections import OrderedDict

from harness.simulator.profile import Profile

_REMEMBERED = 200_000
"""Bodies whose repeats are counted; the oldest is forgotten, which keeps a soak test's memory bounded."""


def draw(seed: int, *parts: str | bytes | int) -> random.Random:
    """A generator that depends on the seed and the parts alone, in this process and in any other."""
    state = hashlib.blake2b(digest_size=16)
    for part in (seed, *parts):
        raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(4, "big") + raw)
    return random.Random(int.from_bytes(state.digest(), "big"))  # noqa: S311 - repeatable on purpose


class Repeats:
    """Counts how often each body was seen, so that a retry may fare better than the first try."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def count(self, body: bytes) -> int:
        """0 for the first time this body is seen, 1 for the second..."""
        key = hashlib.blake2b(body, digest_size=16).digest()
        number = self._seen.pop(key, -1) + 1
        self._seen[key] = number
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return number


def fault(profile: Profile, rng: random.Random) -> str | None:
    """The fault of one request, a name of ``profile.RATES``, or None; takes exactly one number from ``rng``."""
    at, level = rng.random(), 0.0
    for name, share in profile.rates().items():
        level += share
        if at < level:
            return name
    return None


def offsets_ns(profile: Profile, tokens: int, rng: random.Random) -> list[int]:
    """When each token is due, in ns after the request was read; rising, ``tokens`` long."""
    ttft, itl, sigma = profile.ttft_ms * 1e6, profile.itl_ms * 1e6, profile.jitter
    if not sigma:
        return [round(ttft + k * itl) for k in range(tokens)]
    due, at = [], ttft * rng.lognormvariate(0, sigma)
    for _ in range(tokens):
        due.append(round(at))
        at += itl * rng.lognormvariate(0, sigma)
    return due
