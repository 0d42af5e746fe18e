"""All that a decision rests on, from what is recorded and what is wished: page and one-file report draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from harness.report.decision.apart import Order, independent, order
from harness.report.decision.attainment import ALL, Attained, Capacity, attained, capacity
from harness.report.decision.measures import CRITERIA, Measure, measures
from harness.report.decision.monthly import (
    BreakEven,
    Monthly,
    Prices,
    Volumes,
    break_even,
    by_hours,
    by_tokens,
    prices_of,
)
from harness.report.decision.routing import Outcomes, Routed, measured, paired, route, ways
from harness.report.decision.throughput import throughputs
from harness.report.decision.tokens import SAME, Scale, scales
from harness.report.decision.weighing import Weighed, weigh
from harness.stats.mover import Estimate
from harness.store.query import held, rows
from harness.types import JsonObject, Slo

EQUAL = {one.name: 1.0 for one in CRITERIA}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever decides wants."""

    weights: Mapping[str, float] = field(default_factory=lambda: dict(EQUAL))
    """Criterion -> weight; 0: it does not matter."""
    level: str = ALL
    """Stage of the load that is looked at."""
    limits: Slo = field(default_factory=lambda: Slo(ttft_ms=800.0))
    target: float = 0.95
    """Share of requests that must be inside the limits."""
    volumes: Volumes = field(default_factory=lambda: Volumes(10_000, 1_000, 300))
    hourly: float | None = None
    """USD of an hour of a local server whose price is not stored with the run; None: not known."""
    as_given: bool = False
    """Whether every endpoint is taken to need the very tokens of ``volumes``, whatever was measured."""


class Recorded(NamedTuple):
    """What the store says of a run, for limits that were chosen."""

    load: str | None
    """None: the run has no load."""
    attained: Mapping[str, Mapping[str, Attained]]
    """Endpoint -> stage -> attainment; ``ALL`` is all levels."""
    scales: Mapping[str, Scale]
    """Tokens of each endpoint for each of the baseline."""
    throughputs: Mapping[str, Estimate]
    hours: Mapping[str, float | None]
    """USD of an hour of each endpoint as stored; None: paid by the token, or not known."""


def loads_of(summary: JsonObject) -> list[str]:
    """Loads of the run that were answered as text, by name."""
    return list(dict.fromkeys(row["task"] for row in summary["loads"] if row["api"] != "embeddings"))


def recorded(results: Path, summary: JsonObject, load: str | None, limits: Slo) -> Recorded:
    """Ask the store. Errors: as ``harness.store.query.rows``."""
    run, endpoints = summary["run"]["id"], summary["endpoints"]
    with held(results):
        hours = rows(results, "select endpoint, usd_per_hour from endpoints where run_id = ?", [run])
        return Recorded(
            load,
            {} if load is None else attained(results, run, load, limits),
            scales(results, run, endpoints, endpoints[0]["endpoint"]) if endpoints else {},
            {} if load is None else throughputs(results, run, endpoints, summary["loads"]),
            {row["endpoint"]: row["usd_per_hour"] for row in hours},
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows of it."""

    measures: Sequence[Measure]
    weighed: Weighed
    inside: Order | None
    """Endpoints by the share of requests inside the limits; None: there was no load."""
    shares: Mapping[str, Attained]
    """At the level that is looked at."""
    bills: Mapping[str, Monthly]
    prices: Mapping[str, Prices]
    scales: Mapping[str, Scale]
    """As they were used."""
    capacities: Mapping[str, Capacity | None]
    break_evens: Sequence[BreakEven]
    ways: tuple[str, str] | None
    """Who would be asked first and second; None: there are no two."""

    def measure(self, name: str) -> Measure:
        """One criterion by its name."""
        return next(one for one in self.measures if one.criterion.name == name)


def decide(summary: JsonObject, found: Recorded, wishes: Wishes) -> Decision:
    """Weigh a run; nothing is asked of the store."""
    endpoints = summary["endpoints"]
    names = [row["endpoint"] for row in endpoints]
    prices = {row["endpoint"]: prices_of(row, _hourly(row, found, wishes)) for row in endpoints}
    used = {name: SAME if wishes.as_given else found.scales[name] for name in names}
    holds = _capacities(summary, found, wishes.target)
    bills = {name: _bill(prices[name], used[name], holds.get(name), wishes.volumes) for name in names}
    comparisons = [*summary["comparisons"], *summary["other_pairs"]]
    each = measures(endpoints, comparisons, found.throughputs, bills)
    at = wishes.level
    shares = {name: levels[at] for name, levels in found.attained.items() if name in prices and at in levels}
    known = {name: one.share for name, one in shares.items() if one.share is not None}
    return Decision(
        measures=each,
        weighed=weigh(names, each, wishes.weights),
        inside=order({name: one.value for name, one in known.items()}, independent(known, more=True), more=True),
        shares=shares,
        bills=bills,
        prices=prices,
        scales=used,
        capacities=holds,
        break_evens=_break_evens(bills, prices),
        ways=ways(shares, bills, wishes.target),
    )


def usd_at(decision: Decision, volumes: Volumes, name: str, requests_per_day: float) -> float | None:
    """USD a month of an endpoint at another volume; None: not known."""
    there = replace(volumes, requests_per_day=requests_per_day)
    usd = _bill(decision.prices[name], decision.scales[name], decision.capacities.get(name), there).usd
    return None if usd is None else usd.value


def _hourly(row: JsonObject, found: Recorded, wishes: Wishes) -> float | None:
    """As stored; a local server that has no price of any kind costs what the wishes say."""
    stored, price = found.hours.get(row["endpoint"]), row["price"] or {}
    if stored is not None or row["kind"] != "local" or price.get("input_usd_per_mtok") is not None:
        return stored
    return wishes.hourly


def _capacities(summary: JsonObject, found: Recorded, target: float) -> dict[str, Capacity | None]:
    windows = {(row["endpoint"], row["stage"]): row["window_s"] for row in summary["loads"]}
    return {
        name: capacity(levels, {stage: windows.get((name, stage)) for stage in levels}, target)
        for name, levels in found.attained.items()
    }


def _bill(prices: Prices, scale: Scale, holds: Capacity | None, volumes: Volumes) -> Monthly:
    if prices.hourly is not None:
        return by_hours(prices.hourly, holds, scale, volumes)
    return by_tokens(prices, scale, volumes)


def _break_evens(bills: Mapping[str, Monthly], prices: Mapping[str, Prices]) -> list[BreakEven]:
    own = {name: one.hourly for name, one in prices.items() if one.hourly is not None}
    vendors = [name for name in bills if name not in own]
    return [break_even(name, vendor, bills, hourly) for name, hourly in own.items() for vendor in vendors]


def levels_of(summary: JsonObject, load: str | None) -> list[str]:
    """Stages of a load in the order of rising stress."""
    return list(dict.fromkeys(row["stage"] for row in summary["loads"] if row["task"] == load))


def routings(
    results: Path, summary: JsonObject, load: str, chosen: tuple[str, str], limits: Slo, level: str = ALL
) -> list[Routed]:
    """Both endpoints alone and the two together, on the prompts that both were asked; empty: there are none.

    Errors: as ``harness.store.query.rows``.
    """
    first, second = chosen
    one, other = paired(results, summary["run"]["id"], load, first, second, level)
    if not len(one.ok):
        return []
    both: list[tuple[str, Outcomes]] = [(first, one), (second, other), (TOGETHER, route(one, other, limits))]
    seed = summary["run"]["seed"] or 0
    return [measured(name, found, limits, seed=seed) for name, found in both]


TOGETHER = "first, then second"
"""The name of the two together; no endpoint has one without a slash."""
