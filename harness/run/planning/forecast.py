"""What a plan will take, before anything is sent: requests, tokens, cost and time of each endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.prices import price_of
from harness.request import allowance
from harness.run.admission.budget import estimate_prompt_tokens, estimate_tokens, most
from harness.run.arrivals import Closed
from harness.run.planning.plan import Plan
from harness.run.planning.stages import Part, parts
from harness.types import Job

Basis = Literal["earlier runs", "limits", "arrivals", "unknown"]

Durations = Mapping[tuple[str, str], float]
"""Median seconds of an answer in earlier runs by (endpoint, task); (endpoint, "") is over all its tasks."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One endpoint; tries after the first are in no figure."""

    endpoint: str
    requests: int
    prompt_tokens: int
    """Estimate, four bytes to a token; answers that will stand in a prompt are taken at all they are allowed."""
    output_tokens_max: int | None
    """All that the requests allow; None: one of them sets no cap."""
    cost_max_usd: float | None
    """Every byte a token and every allowed token given; None: no price is known, or a request sets no cap."""
    time_s: float | None
    """None: not known."""
    time_basis: Basis
    """``limits``: no answer of this endpoint has been timed yet, so its limits alone say how long at least."""


def forecasts(plan: Plan, durations: Durations) -> list[Forecast]:
    """The forecast of each endpoint of a plan, in its order."""
    by_endpoint: dict[str, list[Job]] = {name: [] for name in plan.endpoints}
    for job in plan.jobs:
        by_endpoint[job.endpoint].append(job)
    found = parts(plan.stages)
    return [_forecast(plan, name, jobs, found, durations) for name, jobs in by_endpoint.items()]


def whole_time_s(plan: Plan, durations: Durations) -> float | None:
    """Seconds of the whole plan, where endpoints of one part go side by side; None: not known of one of them."""
    total = 0.0
    for part in parts(plan.stages):
        lanes = [_lane_s(plan, part, lane, durations)[0] for lane in part.lanes]
        if None in lanes:
            return None
        total += max(seconds for seconds in lanes if seconds is not None)
    return total


def _forecast(plan: Plan, name: str, jobs: Sequence[Job], found: Sequence[Part], durations: Durations) -> Forecast:
    price = price_of(plan.endpoints[name])
    requests = [plan.request(job) for job in jobs]
    to_come = [sum(allowance(one) or 0 for one in plan.to_come(job)) for job in jobs]
    allowed = [allowance(one) for one in requests]
    capped = [one for one in allowed if one is not None]
    whole = len(capped) == len(allowed)
    costs = [most(one, price, more).usd for one, more in zip(requests, to_come, strict=True)]
    known = [one for one in costs if one is not None]
    lanes = [(part, lane) for part in found for lane in part.lanes if lane[0].endpoint == name]
    times = [_lane_s(plan, part, lane, durations) for part, lane in lanes]
    seconds = [one for one, _ in times if one is not None]
    bases = {basis for _, basis in times}
    basis: Basis = next((one for one in _LEAST_FIRST if one in bases), "unknown")
    return Forecast(
        endpoint=name,
        requests=len(jobs),
        prompt_tokens=sum(map(estimate_prompt_tokens, requests)) + sum(to_come),
        output_tokens_max=sum(capped) if whole else None,
        cost_max_usd=sum(known) if whole and len(known) == len(costs) else None,
        time_s=sum(seconds) if len(seconds) == len(times) else None,
        time_basis=basis,
    )


_LEAST_FIRST: tuple[Basis, ...] = ("unknown", "limits", "earlier runs", "arrivals")
"""What is known least decides what is said of a sum."""


def _lane_s(plan: Plan, part: Part, lane: Sequence[Job], durations: Durations) -> tuple[float | None, Basis]:
    """Seconds that an endpoint needs for its part of a stage, and what that is known by."""
    stage, name = part.stage, lane[0].endpoint
    if stage.duration_s is not None:
        return stage.duration_s, "arrivals"
    if not isinstance(stage.law, Closed):
        return max((job.due_ns or 0) for job in lane) / 1e9, "arrivals"
    least_s = _by_limits_s(plan, part, name)
    each_s = durations.get((name, lane[0].task), durations.get((name, "")))
    if each_s is None:
        return least_s, "unknown" if least_s is None else "limits"
    at_once = min(stage.law.concurrency, plan.endpoints[name].provider.limits.concurrency or stage.law.concurrency)
    return max(len(lane) * each_s / at_once, least_s or 0.0), "earlier runs"


def _by_limits_s(plan: Plan, part: Part, name: str) -> float | None:
    """Seconds that a provider's limits make all its requests of a part take; None: it has none that count."""
    provider = plan.endpoints[name].provider
    limits = provider.limits
    jobs = [job for lane in part.lanes for job in lane if plan.endpoints[job.endpoint].provider.id == provider.id]
    found = []
    # What a limit lets through at once takes no time: so much less has to wait.
    for rate, period_s in ((limits.requests_per_second, 1), (limits.requests_per_minute, 60)):
        if rate:
            found.append((len(jobs) - 1) // rate * float(period_s))
    if limits.tokens_per_minute:
        tokens = sum(estimate_tokens(plan.request(job)) for job in jobs)
        found.append((tokens - 1) // limits.tokens_per_minute * 60.0)
    return max(found, default=None)
