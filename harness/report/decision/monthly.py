"""What a month costs at volumes of one's own, and from which volume on a server of one's own is the cheaper one.

A month is a twelfth of 365.25 days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.report.decision.attainment import Capacity
from harness.report.decision.tokens import Scale
from harness.stats.mover import Estimate, exact, total
from harness.types import JsonObject

DAYS = 365.25 / 12
HOURS = 24 * DAYS
_SECONDS = 86_400
_PER_MTOK = 1e6


@dataclass(frozen=True, slots=True)
class Volumes:
    """What will be asked; tokens as the reference endpoint counts them."""

    requests_per_day: float
    input_tokens: float
    """Of one request, cached ones among them."""
    output_tokens: float
    cached_share: float = 0.0
    """Share of the input tokens that the vendor's cache serves, 0 to 1."""
    peak: float = 2.0
    """Requests of the busiest time over the mean of the day: servers of one's own must hold it."""


class Prices(NamedTuple):
    """USD per million tokens, and per hour of a server of one's own; None: not known."""

    input: float | None
    output: float | None
    cached: float | None
    hourly: float | None
    """A server that is paid by the hour is not paid by the token."""


class Servers(NamedTuple):
    """How many servers of one's own it takes."""

    n: int
    low: int | None
    """By the bounds of the tokens of an answer; None: not bounded."""
    high: int | None
    full_at: Estimate
    """Requests a day that one server holds."""


@dataclass(frozen=True, slots=True)
class Monthly:
    """The bill of one endpoint."""

    usd: Estimate | None
    """USD a month; None: not known, and ``why`` says so."""
    per_request: Estimate | None
    """USD of one request; None: not known, or paid by the hour."""
    servers: Servers | None
    """None: paid by the token, or not known."""
    why: str = ""


def prices_of(row: JsonObject, hourly: float | None) -> Prices:
    """Of an endpoint of the summary, with the price of its hour."""
    price = row["price"] or {}
    names = ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")
    fresh, output, cached = (price.get(name) for name in names)
    return Prices(fresh, output, cached, hourly)


def by_tokens(prices: Prices, scale: Scale, volumes: Volumes) -> Monthly:
    """Bill of an endpoint that is paid by the token: requests x (input x price + cached x its price + output x price).

    The interval is that of the tokens which the same requests take there, input and output independent of each other;
    prices are known. A price that is needed and not known makes the bill unknown; one of tokens that do not occur is
    not needed (as ``harness.prices.cost_usd`` has it).
    """
    cached = volumes.input_tokens * volumes.cached_share
    parts = (
        ("input", prices.input, volumes.input_tokens - cached),
        ("cached input", prices.cached, cached),
        ("output", prices.output, volumes.output_tokens),
    )
    lacking = [name for name, usd, tokens in parts if usd is None and tokens > 0]
    if lacking:
        return Monthly(None, None, None, f"no price of {' and '.join(lacking)} tokens is stored with the run")
    fresh, kept, output = (tokens * (usd or 0.0) / _PER_MTOK for _, usd, tokens in parts)
    one = total(((fresh + kept, scale.input), (output, scale.output)))
    # What costs nothing costs nothing however many tokens it takes.
    one = one if fresh + kept + output else exact(0.0)
    return Monthly(one.times(volumes.requests_per_day * DAYS), one, None)


def by_hours(hourly: float, capacity: Capacity | None, scale: Scale, volumes: Volumes) -> Monthly:
    """Bill of servers of one's own: as many as the busiest time takes, for all hours of the month.

    A server is taken to hold as many output tokens a second as it was seen to give inside the limits; where those are
    not stated, or no output is asked for, as many requests. More servers are taken to give as much each.
    """
    if capacity is None:
        return Monthly(None, None, None, "no level of the load kept the limits, so what a server holds is not known")
    wanted = volumes.output_tokens
    if capacity.tokens_per_s and wanted > 0:
        tokens = scale.output.times(wanted)
        full = _inverse(tokens).times(capacity.tokens_per_s * _SECONDS / volumes.peak)
    else:
        full = exact(capacity.requests_per_s * _SECONDS / volumes.peak)
    counts = [
        None if holds is None or holds <= 0 else max(1, math.ceil(volumes.requests_per_day / holds - 1e-9))
        for holds in (full.value, full.high, full.low)
    ]
    n, low, high = counts
    if n is None:
        return Monthly(None, None, None, "an answer of no tokens was measured, so what a server holds is not known")
    month = hourly * HOURS
    usd = Estimate(n * month, None if low is None else low * month, None if high is None else high * month)
    return Monthly(usd, None, Servers(n, low, high, full))


def _inverse(of: Estimate) -> Estimate:
    """1 / of, for what is above 0; a bound of 0 bounds nothing."""
    low, high = (None if not bound or bound <= 0 else 1 / bound for bound in (of.high, of.low))
    return Estimate(1 / of.value if of.value > 0 else 0.0, low, high)


class BreakEven(NamedTuple):
    """From which volume on a server of one's own costs less than a vendor."""

    own: str
    vendor: str
    requests_per_day: Estimate | None
    """None: never, or not known; ``why`` says which."""
    until: float | None
    """Requests a day above which one server is full, and the next one has to be paid for too."""
    why: str = ""


def break_even(own: str, vendor: str, bills: Mapping[str, Monthly], hourly: float) -> BreakEven:
    """The volume at which one server costs as much as the vendor takes for it: hourly price / USD of a request.

    It is never reached where a full server costs more than the vendor takes for all it holds: then that is true of any
    number of servers. The interval is that of the vendor's tokens.
    """
    servers, one = bills[own].servers, bills[vendor].per_request
    if servers is None:
        return BreakEven(own, vendor, None, None, bills[own].why)
    if one is None:
        return BreakEven(own, vendor, None, servers.full_at.value, bills[vendor].why)
    if one.value <= 0:
        return BreakEven(own, vendor, None, servers.full_at.value, "never: the vendor takes nothing")
    at = _inverse(one).times(hourly * 24)
    if at.value > servers.full_at.value:
        return BreakEven(
            own,
            vendor,
            None,
            servers.full_at.value,
            "never: a full server costs more than the vendor takes for what it holds",
        )
    return BreakEven(own, vendor, at, servers.full_at.value)
