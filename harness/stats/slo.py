"""Service-level objectives: their text, and whether the requests that were measured meet them.

    slo       = objective *(("and" | "," | "&") objective)
    objective = metric "_p" percentile ("<" | "<=") number ("s" | "ms" | "us")
              | "errors" ("<" | "<=") number "%"

``ttft_p95<800ms`` says: of all requests, 95 in a hundred have their first token within 800 ms. That is a statement
about a share, and a share has an exact interval however the times are distributed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist
from typing import Literal, NamedTuple, NoReturn

from harness.errors import UnknownName, UsageError
from harness.stats.intervals import wilson
from harness.types import Slo

Met = Literal["met", "missed", "undecided"]

ERRORS = "errors"
TIMES = ("ttft", "ttft_sched", "ttfvt", "tpot", "itl_max", "e2e", "e2e_sched")
"""Metrics in milliseconds; ``itl_max`` is the longest gap between two chunks of one answer."""
METRICS = (*TIMES, ERRORS)
FAILED = math.inf
"""The time of a request that failed: its answer never came, so it is within no limit."""

_SHIFT = {"s": 3, "ms": 0, "us": -3, "µs": -3, "μs": -3}
"""Unit -> power of ten that makes milliseconds of it."""
_NAME = re.compile(r"[a-z_][a-z0-9_.]*", re.IGNORECASE)
_BELOW = re.compile(r"<=?")
_NUMBER = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
_UNIT = re.compile(r"[a-zµμ%]+", re.IGNORECASE)
_AND = re.compile(r"and\b|,|&&?", re.IGNORECASE)
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Objective:
    """One upper limit on one metric."""

    metric: str
    """One of ``METRICS``."""
    quantile: float | None
    """Share of requests that must keep the limit, above 0 and below 1; None for ``errors``."""
    limit: float
    """Milliseconds; for ``errors`` a share, above 0 and below 1."""
    strict: bool = True
    """Whether the limit itself is already too much (``<``)."""

    @property
    def target(self) -> float:
        """Share of requests, above 0 and below 1, that must be good."""
        return 1 - self.limit if self.quantile is None else self.quantile

    @property
    def text(self) -> str:
        """Canonical text, for example ``ttft_p95<800ms``."""
        below = "<" if self.strict else "<="
        if self.quantile is None:
            return f"{self.metric}{below}{_shifted(self.limit, 2)}%"
        unit = "s" if self.limit >= 1000 else "ms" if self.limit >= 1 else "us"
        return f"{self.metric}_p{_shifted(self.quantile, 2)}{below}{_shifted(self.limit, -_SHIFT[unit])}{unit}"


class Attainment(NamedTuple):
    """How many requests kept one objective."""

    good: int
    n: int
    """Requests that it applies to, failed ones among them."""
    na: int
    """Requests that it does not apply to, for example the TPOT of one token."""
    share: float | None
    """``good / n``; None when n is 0."""
    low: float | None
    """Of the share's 95 % interval; None when n is 0."""
    high: float | None
    verdict: Met


def parse(text: str) -> tuple[Objective, ...]:
    """The objectives of a text, in its order.

    Raises:
        UsageError: what cannot be read, with its place in the text.
    """
    found: list[Objective] = []
    at = _skip(text, 0)
    while True:
        began = at
        objective, at = _objective(text, at)
        if any((objective.metric, objective.quantile) == (other.metric, other.quantile) for other in found):
            _wrong(text, began, f"a second limit for {objective.text.partition('<')[0]}", "Keep the lower one.")
        found.append(objective)
        at = _skip(text, at)
        if at == len(text):
            return tuple(found)
        joined = _AND.match(text, at)
        if joined is None:
            _wrong(
                text, at, f"{text[at:].split(maxsplit=1)[0]!r} where an objective ends", "Join objectives with 'and'."
            )
        at = _skip(text, joined.end())


def text_of(objectives: Iterable[Objective]) -> str:
    """Canonical text; ``parse`` of it gives the same objectives."""
    return " and ".join(objective.text for objective in objectives)


def slo_of(objectives: Iterable[Objective]) -> Slo:
    """Limits for judging one request at a time (goodput); metrics that such a view does not know are left out.

    A request has no percentile. Of several limits on one metric that of the highest percentile is taken, because it is
    the one that nearly every request has to keep: under ``ttft_p50<200ms and ttft_p99<2s`` one request of 500 ms is
    as was agreed. TTFT and E2E are judged from the planned arrival on, so both their forms count.
    """
    limits: dict[str, tuple[float, float]] = {}
    for objective in objectives:
        if objective.quantile is not None:
            name = objective.metric.removesuffix("_sched")
            ranked = (-objective.quantile, objective.limit)
            limits[name] = min(limits.get(name, ranked), ranked)
    ttft, tpot, e2e = (limits[name][1] if name in limits else None for name in ("ttft", "tpot", "e2e"))
    return Slo(ttft_ms=ttft, tpot_ms=tpot, e2e_ms=e2e)


def attainment(objective: Objective, values: Iterable[float | None]) -> Attainment:
    """Share of requests that kept an objective, and whether it reaches the target.

    ``values`` are in milliseconds, one for each request that arrived: ``FAILED`` for one that failed, None for one
    that the metric does not apply to. For ``errors`` every value but ``FAILED`` is a success, None too.

    Met when the whole 95 % interval of the share (Wilson) reaches the target, missed when all of it lies below,
    undecided otherwise: more requests are needed, see ``fewest``. Requests are taken as independent.
    """
    good = n = na = 0
    for value in values:
        if objective.quantile is None:
            n, good = n + 1, good + (value != FAILED)
        elif value is None:
            na += 1
        else:
            n, good = n + 1, good + (value < objective.limit or (not objective.strict and value == objective.limit))
    low, high = wilson(good, n)
    verdict: Met = "undecided"
    if low is not None and high is not None:
        verdict = "met" if low >= objective.target else "missed" if high < objective.target else "undecided"
    return Attainment(good, n, na, good / n if n else None, low, high, verdict)


def together(verdicts: Iterable[Met]) -> Met:
    """Verdict on a whole SLO: met when every objective is met, missed when one is missed.

    No correction for their number is needed for "met", since all must be shown.

    Source: Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24 (1982)
    (intersection-union test).
    """
    seen = set(verdicts)
    if "missed" in seen:
        return "missed"
    return "met" if seen == {"met"} else "undecided"


def fewest(objectives: Sequence[Objective]) -> int:
    """Smallest number of requests with which all objectives can be met at all: none of them misses a limit.

    With n of n good, Wilson's lower bound is n / (n + z^2), so that n >= z^2 t / (1 - t) for a target t.
    """
    z2 = NormalDist().inv_cdf(0.975) ** 2
    return max((math.ceil(z2 * each.target / (1 - each.target)) for each in objectives), default=0)


def _objective(text: str, at: int) -> tuple[Objective, int]:
    """The objective that begins at a place, and where it ends."""
    named = _NAME.match(text, at)
    if named is None:
        _wrong(text, at, "no objective", "Write one as ttft_p95<800ms or errors<1%.")
    metric, quantile = _metric(text, at, named.group().lower())
    at = _skip(text, named.end())
    below = _BELOW.match(text, at)
    if below is None:
        _wrong(text, at, f"no limit for {named.group()}", "An objective is an upper limit: write < or <= and a number.")
    at = _skip(text, below.end())
    number = _NUMBER.match(text, at)
    if number is None:
        _wrong(text, at, f"no number after {below.group()}", "Write one as ttft_p95<800ms or errors<1%.")
    unit = _UNIT.match(text, _skip(text, number.end()))
    if unit is None or _AND.fullmatch(unit.group()):
        unit = None
    limit = _limit(text, at, metric, number.group(), unit.group().lower() if unit else "")
    return Objective(metric, quantile, limit, strict=below.group() == "<"), (unit or number).end()


def _metric(text: str, at: int, name: str) -> tuple[str, float | None]:
    metric, mark, percent = name.partition("_p")
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS, where=f"At character {at + 1} of {text!r}.")
    if metric == ERRORS:
        if mark:
            _wrong(text, at, "errors has no percentile", "Write errors<1%.")
        return metric, None
    if not percent:
        _wrong(text, at, f"{metric} has no percentile", f"Write {metric}_p95.")
    at += len(metric) + 1
    if not _NUMBER.fullmatch(percent):
        _wrong(text, at, f"no percentile: {'p' + percent!r}", f"Write {metric}_p95.")
    quantile = float(Decimal(percent).scaleb(-2))
    if not 0 < quantile < 1:
        _wrong(text, at, f"percentile p{percent} is not between 0 and 100", f"Write {metric}_p95.")
    return metric, quantile


def _limit(text: str, at: int, metric: str, number: str, unit: str) -> float:
    """Milliseconds, or a share for ``errors``."""
    wanted = f"{number}%" if metric == ERRORS else f"{number}ms, {number}s or {number}us"
    if not unit:
        _wrong(text, at, f"{number} has no unit", f"Write {wanted}.")
    if metric == ERRORS:
        if unit != "%":
            _wrong(text, at, f"errors is a share, not {number}{unit}", f"Write {wanted}.")
        share = float(Decimal(number).scaleb(-2))
        if not 0 < share < 1:
            _wrong(text, at, f"{number}% is not between 0% and 100%", "No number of requests can show either end.")
        return share
    if unit not in _SHIFT:
        _wrong(text, at, f"{metric} is a time, not {number}{unit}", f"Write {wanted}.")
    limit = float(Decimal(number).scaleb(_SHIFT[unit]))
    if not 0 < limit < math.inf:
        _wrong(text, at, f"no request takes {number}{unit}", "A limit is above 0 and finite.")
    return limit


def _skip(text: str, at: int) -> int:
    spaces = _SPACE.match(text, at)
    return spaces.end() if spaces else at


def _shifted(value: float, places: int) -> str:
    """Shortest decimal text of ``value * 10**places``, exact: multiplying floats would not come back the same."""
    return format(Decimal(repr(value)).scaleb(places).normalize(), "f")


def _wrong(text: str, at: int, what: str, hint: str) -> NoReturn:
    raise UsageError(f"{what}, at character {at + 1} of {text!r}", hint=hint)
