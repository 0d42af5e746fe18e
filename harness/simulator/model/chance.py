"""What befalls one request: drawn from the seed and the request itself, so that a run can be repeated."""

from __future__ import annotations

import hashlib
import math
import random
from collections import OrderedDict
from collections.abc import Mapping

_REMEMBERED = 200_000
"""Bodies whose repeats are counted; the oldest is forgotten, which keeps a soak test's memory bounded."""

_LONGEST = 1_000_000
"""Tokens of the longest answer that is drawn."""


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


def fate(shares: Mapping[str, float], rng: random.Random) -> str | None:
    """The fault of one request, or None; takes exactly one number from ``rng``."""
    at, level = rng.random(), 0.0
    for name, share in shares.items():
        level += share
        if at < level:
            return name
    return None


def length(mean: float, sd: float, rng: random.Random) -> int:
    """A number of tokens, 1 or more: lognormal with this mean and standard deviation; sd 0: the mean, and no draw.

    Source: of a lognormal, sigma^2 = ln(1 + sd^2 / mean^2) and mu = ln(mean) - sigma^2 / 2.
    """
    if not sd:
        return round(mean)
    variance = math.log1p((sd / mean) ** 2)
    return min(_LONGEST, max(1, round(rng.lognormvariate(math.log(mean) - variance / 2, math.sqrt(variance)))))
