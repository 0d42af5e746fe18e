"""How many tokens: one number, or a distribution that each request draws from.

A draw outside ``low`` to ``high`` is made again, so the shape between the bounds is kept (a truncated distribution);
bounds far from the middle therefore move the mean.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import TaskError, UsageError
from harness.workload import jsonl
from harness.workload.figures import number, require, require_whole, short, whole

_TRIES = 100
"""Draws before a value is moved to the nearest bound: a window that narrow is as good as a number."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same."""

    tokens: int

    def __post_init__(self) -> None:
        require_whole("tokens", self.tokens)

    def draw(self, rng: random.Random) -> int:  # noqa: ARG002 - every length is drawn alike
        """The number."""
        return self.tokens


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every number from ``low`` to ``high``, both included, is as likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _require_bounds(self.low, self.high)

    def draw(self, rng: random.Random) -> int:
        """One of them."""
        return rng.randint(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Normal:
    """Around ``mean`` with standard deviation ``sd``, rounded, within the bounds."""

    mean: float
    sd: float
    low: int = 1
    high: int | None = None
    """None: no upper bound."""

    def __post_init__(self) -> None:
        require("sd", self.sd, zero=True)
        _require_bounds(self.low, self.high)
        _require_within("mean", self.mean, self.low, self.high)

    def draw(self, rng: random.Random) -> int:
        """A number from ``low`` to ``high``."""
        return _truncated(lambda: rng.gauss(self.mean, self.sd), self.low, self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Half below ``median``, with a long tail above: the shape of lengths in conversations.

    ``sigma`` is the standard deviation of the logarithm; without bounds the mean is ``median * exp(sigma**2 / 2)``.
    """

    median: float
    sigma: float
    low: int = 1
    high: int | None = None
    """None: no upper bound."""

    def __post_init__(self) -> None:
        require("sigma", self.sigma, zero=True)
        if self.sigma > 10:
            raise UsageError(f"sigma must be at most 10, not {short(self.sigma)}", hint="0.5 to 1.5 is usual")
        _require_bounds(self.low, self.high)
        _require_within("median", self.median, self.low, self.high)

    def draw(self, rng: random.Random) -> int:
        """A number from ``low`` to ``high``."""
        return _truncated(lambda: self.median * math.exp(rng.gauss(0, self.sigma)), self.low, self.high)


@dataclass(frozen=True, slots=True)
class Empirical:
    """One of the lengths that were seen, each as likely."""

    values: tuple[int, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.values:
            raise UsageError("values is empty")
        for value in self.values:
            require_whole("each of values", value)

    def draw(self, rng: random.Random) -> int:
        """One of them."""
        return rng.choice(self.values)


Length = Fixed | Uniform | Normal | LogNormal | Empirical

_FORMS = "512, uniform:100,900, normal:512,64, lognormal:512,0.5 or empirical:FILE.jsonl:FIELD"


def parse_length(text: str) -> Length:
    """The length of a text; UsageError tells the right form, TaskError what is wrong with a file.

    ``512``, ``uniform:LOW,HIGH``, ``normal:MEAN,SD[,LOW[,HIGH]]``, ``lognormal:MEDIAN,SIGMA[,LOW[,HIGH]]``,
    ``empirical:FILE.jsonl:FIELD``.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        if not kind.lstrip("+-").isdecimal():
            raise UsageError(f"{text!r} is no length in tokens", hint=f"Give {_FORMS}")
        return Fixed(int(kind))
    if kind == "empirical":
        path, _, name = rest.rpartition(":")
        if not path or not name:
            raise UsageError(f"{text!r} does not name a file and a field", hint="Give empirical:FILE.jsonl:FIELD")
        return Empirical(_column(Path(path), name))
    counts = {"uniform": (2,), "normal": (2, 3, 4), "lognormal": (2, 3, 4)}
    parts = rest.split(",")
    if len(parts) not in counts.get(kind, ()):
        raise UsageError(f"{text!r} is no length in tokens", hint=f"Give {_FORMS}")
    if kind == "uniform":
        return Uniform(whole(text, parts[0]), whole(text, parts[1]))
    made: type[Normal | LogNormal] = Normal if kind == "normal" else LogNormal
    return made(number(text, parts[0]), number(text, parts[1]), *(whole(text, part) for part in parts[2:]))


def _column(path: Path, name: str) -> tuple[int, ...]:
    values = []
    for place, row in jsonl.rows(path):
        value = row.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            found = f"it is {str(value)[:40]!r}" if name in row else f"the row has: {', '.join(row)[:200]}"
            raise TaskError(f"{path} line {place}: field {name!r} must be a whole number above 0", hint=found)
        values.append(value)
    return tuple(values)


def _truncated(draw: Callable[[], float], low: int, high: int | None) -> int:
    most = math.inf if high is None else high
    value = low
    for _ in range(_TRIES):
        value = round(draw())
        if low <= value <= most:
            return value
    return low if value < low else round(most)


def _require_bounds(low: int, high: int | None) -> None:
    require_whole("low", low)
    if high is not None:
        require_whole("high", high)
        if high < low:
            raise UsageError(f"high must not be below low, but {high} is below {low}")


def _require_within(name: str, value: float, low: int, high: int | None) -> None:
    require(name, value)
    if not low <= value <= (math.inf if high is None else high):
        raise UsageError(f"{name} must lie from low to high, {short(value)} does not: {low} to {high or 'no bound'}")
