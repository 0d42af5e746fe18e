"""Arrival laws: when the requests of one stage are due. Pure: no clock, no sleeping.

A closed loop keeps a fixed number of requests under way and has no due times: the next one starts when a slot is
free. An open law names every due time beforehand, so a slow server cannot slow the asking down (coordinated
omission: Gil Tene, "How NOT to Measure Latency", 2015).

Open laws with a rate are renewal processes: gaps of mean 1 on a clock that runs at the wanted rate, mapped back to
seconds by the inverse of the cumulative rate. With exponential gaps that is a Poisson process of exactly that rate,
constant or not (time-rescaling theorem: Cox & Lewis, "The Statistical Analysis of Series of Events", 1966; Ogata,
"Statistical Models for Earthquake Occurrences", JASA 83, 1988). A schedule is never stretched to end at n / rate: then
it would be none. The first request is due at 0.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import UsageError
from harness.types import JsonObject
from harness.workload import trace
from harness.workload.figures import number, require, require_whole, short, whole

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Closed:
    """A fixed number of users, each with one request under way at any time."""

    concurrency: int
    ramp_s: float = 0.0
    """Seconds over which the users come, evenly spread; 0: all at once."""

    def __post_init__(self) -> None:
        require_whole("concurrency", self.concurrency)
        require("ramp_s", self.ramp_s, zero=True)

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``c4`` or ``c4-ramp10s``."""
        ramp = f"-ramp{short(self.ramp_s)}s" if self.ramp_s else ""
        return f"c{self.concurrency}{ramp}"


@dataclass(frozen=True, slots=True)
class _Rated:
    rate_per_s: float

    def __post_init__(self) -> None:
        require("rate_per_s", self.rate_per_s)


@dataclass(frozen=True, slots=True)
class Constant(_Rated):
    """One request every ``1 / rate_per_s`` seconds, whatever the server does."""

    burstiness: ClassVar[float] = math.inf

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``r2.5``."""
        return f"r{short(self.rate_per_s)}"


@dataclass(frozen=True, slots=True)
class Poisson(_Rated):
    """Independent users: exponential gaps with mean ``1 / rate_per_s`` seconds."""

    burstiness: ClassVar[float] = 1.0

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``p2.5``."""
        return f"p{short(self.rate_per_s)}"


@dataclass(frozen=True, slots=True)
class Gamma(_Rated):
    """Gaps of mean ``1 / rate_per_s`` whose clustering is chosen.

    ``burstiness`` is the shape b of the gamma distribution of the gaps, whose coefficient of variation is
    ``1 / sqrt(b)``: below 1 requests come in clusters, 1 is Poisson, above 1 they are more regular, inf is even.
    Source: the option ``--burstiness`` of ``vllm bench serve`` (vllm/benchmarks/serve.py), which means the same.
    """

    burstiness: float

    def __post_init__(self) -> None:
        _Rated.__post_init__(self)
        require("burstiness", self.burstiness, infinite=True)

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``g2.5-b0.5``."""
        return f"g{short(self.rate_per_s)}-b{short(self.burstiness)}"


@dataclass(frozen=True, slots=True)
class Ramp:
    """A rate that rises or falls in a straight line, then an end: about ``(from + to) / 2 * seconds`` requests."""

    from_per_s: float
    to_per_s: float
    seconds: float
    burstiness: float = 1.0
    """As in ``Gamma``; 1: Poisson, inf: even."""

    def __post_init__(self) -> None:
        require("from_per_s", self.from_per_s)
        require("to_per_s", self.to_per_s)
        require("seconds", self.seconds)
        require("burstiness", self.burstiness, infinite=True)

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``ramp1-50-60s``."""
        ends = f"{short(self.from_per_s)}-{short(self.to_per_s)}"
        return f"ramp{ends}-{short(self.seconds)}s{_clustering(self.burstiness)}"


@dataclass(frozen=True, slots=True)
class Piecewise:
    """Rates that hold for some time each, one after the other, then an end."""

    steps: tuple[tuple[float, float], ...]
    """``(seconds, rate_per_s)`` each."""
    burstiness: float = 1.0
    """As in ``Gamma``; 1: Poisson, inf: even."""

    def __post_init__(self) -> None:
        if not self.steps:
            raise UsageError("steps is empty", hint="Give (seconds, rate_per_s) for each")
        for place, (seconds, rate_per_s) in enumerate(self.steps, 1):
            require(f"seconds of step {place}", seconds)
            require(f"rate_per_s of step {place}", rate_per_s)
        require("burstiness", self.burstiness, infinite=True)

    @property
    def label(self) -> str:
        """Short name used in stage names, rate x seconds, for example ``steps-1x10-5x20``."""
        steps = "-".join(f"{short(rate_per_s)}x{short(seconds)}" for seconds, rate_per_s in self.steps)
        return f"steps-{steps}{_clustering(self.burstiness)}"


@dataclass(frozen=True, slots=True)
class Burst:
    """``size`` requests at once, and no more."""

    size: int

    def __post_init__(self) -> None:
        require_whole("size", self.size)

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``burst64``."""
        return f"burst{self.size}"


@dataclass(frozen=True, slots=True)
class Replay:
    """Recorded arrivals, as they were or faster or slower."""

    name: str
    times_ns: tuple[int, ...] = field(repr=False)
    """When each request is due, ns since the stage's start, already divided by ``speed``."""
    path: str | None = None
    """File they were read from, with its ``sha256``; None: they stand for themselves."""
    sha256: str | None = None
    speed: float = 1.0
    limit: int | None = None
    """How many of the file's first requests these are; None: all."""

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise UsageError(f"name must be of letters, digits and _ . -, not {self.name!r}")
        if not self.times_ns or self.times_ns[0] < 0:
            raise UsageError("times_ns must hold times from 0 on")
        back = next((place for place, (a, b) in enumerate(itertools.pairwise(self.times_ns), 2) if b < a), None)
        if back is not None:
            raise UsageError(f"times_ns must not run back, number {back} does")
        require("speed", self.speed)

    @property
    def label(self) -> str:
        """Short name used in stage names, for example ``trace-mornings`` or ``trace-mornings-x2-n500``."""
        speed = "" if self.speed == 1 else f"-x{short(self.speed)}"
        return f"trace-{self.name}{speed}" + (f"-n{self.limit}" if self.limit is not None else "")


Open = Constant | Poisson | Gamma | Ramp | Piecewise | Burst | Replay
"""Laws that name every due time beforehand."""
Law = Closed | Open
_LAWS: Mapping[str, Callable[..., Law]] = {
    law.__name__.lower(): law for law in (Closed, Constant, Poisson, Gamma, Ramp, Piecewise, Burst, Replay)
}


def offsets_ns(law: Open, seed: int) -> Iterator[int]:
    """Due times in ns since the stage's start, never running back; the same seed gives the same times.

    Without end for Constant, Poisson and Gamma; Ramp and Piecewise end with their time, Burst and Replay with their
    last request. Two rates of one law are the same pattern, faster or slower: comparing them compares the rates alone.
    """
    match law:
        case Burst():
            yield from itertools.repeat(0, law.size)
        case Replay():
            yield from law.times_ns
        case Ramp() | Piecewise():
            cumulated, at_s = _inverse(law)
            for mass in _masses(law.burstiness, seed):
                if mass >= cumulated:
                    return
                yield round(1e9 * at_s(mass))
        case _:
            for mass in _masses(law.burstiness, seed):
                yield round(1e9 * mass / law.rate_per_s)


def _masses(shape: float, seed: int) -> Iterator[float]:
    """Times of a renewal process whose gaps are gamma of that shape and mean 1, from 0 on."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible schedule, not a secret
    at = 0.0
    while True:
        yield at
        if shape == 1:
            at += draw.expovariate(1.0)
        elif math.isinf(shape):
            at += 1.0
        else:
            at += draw.gammavariate(shape, 1 / shape)


def _inverse(law: Ramp | Piecewise) -> tuple[float, Callable[[float], float]]:
    """Requests expected in the whole law, and the time by which so many are expected, in seconds."""
    if isinstance(law, Ramp):
        start, slope = law.from_per_s, (law.to_per_s - law.from_per_s) / law.seconds
        # The root of start * t + slope * t^2 / 2 = mass, in the form that does not cancel for a small slope.
        return (
            (law.from_per_s + law.to_per_s) / 2 * law.seconds,
            lambda mass: 2 * mass / (start + math.sqrt(max(0.0, start * start + 2 * slope * mass))),
        )
    begins_s = [0.0, *itertools.accumulate(seconds for seconds, _ in law.steps)]
    before = [0.0, *itertools.accumulate(seconds * rate_per_s for seconds, rate_per_s in law.steps)]

    def at_s(mass: float) -> float:
        step = bisect_right(before, mass) - 1
        return begins_s[step] + (mass - before[step]) / law.steps[step][1]

    return before[-1], at_s


# --- notation --------------------------------------------------------------------------------------------


def replay(recorded: trace.Trace) -> Replay:
    """The arrivals of a trace."""
    return Replay(
        recorded.name, recorded.times_ns, recorded.path, recorded.sha256, speed=recorded.speed, limit=recorded.limit
    )


def parse_law(text: str) -> Law:
    """The law of a text; UsageError tells the right form.

    ``closed:4``, ``constant:5``, ``poisson:5``, ``gamma:5:0.5``, ``ramp:1:50:60``, ``steps:10s@1,20s@5``, ``burst:64``,
    ``trace:FILE``.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "closed":
            return Closed(whole(text, rest))
        case "burst":
            return Burst(whole(text, rest))
        case "constant" | "poisson":
            return _at_rate(number(text, rest), kind)
        case "gamma":
            rate, _, shape = rest.partition(":")
            return _at_rate(number(text, rate), f"gamma:{shape}")
        case "ramp":
            return parse_ramp(rest)
        case "steps":
            return parse_steps(rest)
        case "trace":
            return replay(trace.read(Path(rest)))
    known = "closed:4, constant:5, poisson:5, gamma:5:0.5, ramp:1:50:60, steps:10s@1,20s@5, burst:64 or trace:FILE"
    raise UsageError(f"{text!r} is no arrival law", hint=f"Give {known}")


def parse_arrival(text: str) -> float:
    """The burstiness of ``poisson`` (1), ``constant`` (inf) or ``gamma:SHAPE``."""
    kind, colon, shape = text.partition(":")
    if text in {"poisson", "constant"}:
        return 1.0 if text == "poisson" else math.inf
    if kind != "gamma" or not colon:
        raise UsageError(f"{text!r} is no kind of arrivals", hint="Give poisson, constant or gamma:0.5")
    burstiness = number(text, shape)
    require("burstiness", burstiness, infinite=True)
    return burstiness


def parse_concurrency(text: str, *, ramp_s: float = 0.0) -> tuple[Closed, ...]:
    """Closed loops of ``1,2,4``."""
    return tuple(Closed(whole(text, one), ramp_s) for one in text.split(","))


def parse_rates(text: str, arrival: str = "poisson") -> tuple[Constant | Poisson | Gamma, ...]:
    """Open laws of ``5,10`` requests a second, of a kind that ``parse_arrival`` knows."""
    return tuple(_at_rate(number(text, one), arrival) for one in text.split(","))


def parse_ramp(text: str, arrival: str = "poisson") -> Ramp:
    """The ramp of ``FROM:TO:SECONDS``, for example ``1:50:60``."""
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"{text!r} is no ramp", hint="Give FROM:TO:SECONDS in requests a second, as in 1:50:60")
    from_per_s, to_per_s, seconds = (number(text, part.removesuffix("s")) for part in parts)
    return Ramp(from_per_s, to_per_s, seconds, parse_arrival(arrival))


def parse_steps(text: str, arrival: str = "poisson") -> Piecewise:
    """The steps of ``SECONDSs@RATE,...``, for example ``10s@1,20s@5``."""
    found = [re.fullmatch(r"\s*([^@]+?)s@([^@]+)", part) for part in text.split(",")]
    steps = tuple((number(text, one[1]), number(text, one[2])) for one in found if one)
    if len(steps) != len(found):
        raise UsageError(f"{text!r} are no steps", hint="Give SECONDSs@RATE for each, as in 10s@1,20s@5")
    return Piecewise(steps, parse_arrival(arrival))


def parse_give_up(text: str) -> tuple[float, float]:
    """Share of users and seconds after which they stop waiting, of ``SHARE:SECONDS``, for example ``0.1:5``."""
    share, colon, seconds = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r} does not say who gives up when", hint="Give SHARE:SECONDS, as in 0.1:5")
    found = (number(text, share), number(text, seconds.removesuffix("s")))
    if not 0 <= found[0] <= 1:
        raise UsageError(f"{text!r}: the share of users who give up must be from 0 to 1, not {share}")
    require("seconds until they give up", found[1])
    return found


def law_json(law: Law) -> JsonObject:
    """The law as JSON; ``law_from_json`` gives back an equal one. Recorded times stay in their file."""
    kept: JsonObject = {"law": type(law).__name__.lower()}
    for one in dataclasses.fields(law):
        value = getattr(law, one.name)
        if one.name == "times_ns":
            value = None if isinstance(law, Replay) and law.path else list(value)
        elif one.name == "steps":
            value = [list(step) for step in value]
        # JSON has no infinity.
        kept[one.name] = "inf" if value == math.inf else value
    return kept


def law_from_json(stored: Mapping[str, Any]) -> Law:
    """The law that ``law_json`` wrote; UsageError when it is none, or its trace is gone or was changed since."""
    given: JsonObject = {name: math.inf if value == "inf" else value for name, value in stored.items() if name != "law"}
    law = _LAWS.get(str(stored.get("law")))
    if law is None:
        raise UsageError(f"{stored.get('law')!r} is no arrival law", hint=f"Known: {', '.join(_LAWS)}")
    try:
        if law is Replay and given["times_ns"] is None:
            again = replay(trace.read(Path(given["path"]), speed=given["speed"], limit=given["limit"]))
            if again.sha256 != given["sha256"]:
                raise UsageError(f"{given['path']} was changed since this was planned", hint="Put the old file back")
            return dataclasses.replace(again, name=given["name"])
        if law is Replay:
            given["times_ns"] = tuple(given["times_ns"])
        if law is Piecewise:
            given["steps"] = tuple((seconds, rate_per_s) for seconds, rate_per_s in given["steps"])
        return law(**given)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{dict(stored)!r} is no arrival law of kind {stored['law']}") from None


def _at_rate(rate_per_s: float, arrival: str) -> Constant | Poisson | Gamma:
    if arrival == "poisson":
        return Poisson(rate_per_s)
    return Constant(rate_per_s) if arrival == "constant" else Gamma(rate_per_s, parse_arrival(arrival))


def _clustering(burstiness: float) -> str:
    return "" if burstiness == 1 else f"-b{short(burstiness)}"
