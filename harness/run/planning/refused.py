"""Plans that are not begun: what is wrong is told before anything is sent or spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors import UsageError
from harness.prices import price_of
from harness.provider import Endpoint
from harness.run.admission.budget import most
from harness.run.arrivals import Closed
from harness.run.planning.forecast import forecasts
from harness.run.planning.plan import Plan
from harness.run.selecting.loads import OPEN_ENDED
from harness.run.tally import Budget
from harness.stats.slo import parse


def refuse(plan: Plan, budget: Budget, *, cache: bool, alone: bool) -> None:
    """UsageError for bounds that cannot be kept, and for a cache of texts that are not to be kept, or of several.

    ``alone``: whether one process carries the plan out.
    """
    if cache and not alone:
        raise UsageError("--cache goes with one process", hint="Leave out --workers and --executor")
    if cache and plan.selection.store_text != "all":
        raise UsageError(
            f"--cache keeps every answer, and --store-text {plan.selection.store_text} does not", hint="Leave one out"
        )
    if budget.max_cost_usd is not None:
        _refuse_unpriced(plan)


def refuse_load(plan: Plan, budget: Budget) -> None:
    """UsageError for a load whose objectives nothing can meet, or that goes beyond limits or a budget."""
    _refuse_what_has_no_tokens(plan)
    _refuse_beyond_limits(plan)
    _refuse_beyond_budget(plan, budget)


def _refuse_unpriced(plan: Plan) -> None:
    """A bound that cannot be kept is no bound: refuse ``--max-cost`` where a vendor's price is not known.

    A server that is paid by the hour costs by the time it takes, whatever is asked: the bound is then one of time.
    """
    for name, endpoint in plan.endpoints.items():
        if (hourly := endpoint.provider.usd_per_hour) is not None:
            raise UsageError(
                f"--max-cost cannot be kept: {name} is paid by the hour",
                hint=f"Use --max-duration SECONDS; an hour of it costs {hourly:g} USD",
            )
        price = price_of(endpoint)
        known = price is not None and None not in (price.input_usd_per_mtok, price.output_usd_per_mtok)
        if endpoint.provider.kind in ("hosted", "gateway") and not known:
            raise UsageError(
                f"--max-cost cannot be kept: the price of {name} is not known",
                hint=f"Add prices: to {endpoint.provider.id} in your providers.yaml, or use --max-requests",
            )


def _refuse_what_has_no_tokens(plan: Plan) -> None:
    """An objective on times that embeddings do not have would be met by nothing, and missed by nothing."""
    told = plan.selection.changes.slo
    objectives = [one for one in parse(told) if not one.metric.startswith(("e2e", "errors"))] if told else []
    for load in plan.loads.values() if objectives else ():
        if load.sample(plan.selection.seed, 0).inputs:
            raise UsageError(
                f"--slo {objectives[0].text}: embeddings are not streamed and have no {objectives[0].metric}",
                hint='Use e2e, as in --slo "e2e_p95<200ms"',
            )


def _refuse_beyond_limits(plan: Plan) -> None:
    """A load above what the user configured for a provider is asked about before anything is sent."""
    if plan.selection.owned:
        return
    for endpoint in plan.endpoints.values():
        limits = endpoint.provider.limits
        for asked, words, name in _most(plan, endpoint.id):
            limit = getattr(limits, name)
            if limit and asked > limit:
                raise _beyond(endpoint, f"{asked:g} {words}", f"{name}: {limit}")


def _most(plan: Plan, endpoint: str) -> Iterator[tuple[float, str, str]]:
    """What a plan or the bounds of its search ask of an endpoint at most: how much, of what, and the limit's name."""
    search = plan.selection.search
    bounded = search.high if search is not None and search.high < OPEN_ENDED else 0
    rising = search.axis if search is not None and bounded else None
    lanes = [
        (stage, [job for lane in stage.lanes for job in lane if job.endpoint == endpoint]) for stage in plan.stages
    ]
    at_once = [stage.law.concurrency for stage, _ in lanes if isinstance(stage.law, Closed)]
    yield max(bounded if rising == "concurrency" else 0, *at_once, 0), "requests at once", "concurrency"
    due = [[job.due_ns for job in jobs if job.due_ns is not None] for _, jobs in lanes]
    rate = bounded if rising == "rate" else 0
    for seconds, unit in ((1, "second"), (60, "minute")):
        busiest = max((_busiest(times, seconds) for times in due), default=0)
        yield max(rate * seconds, busiest), f"requests in a {unit}", f"requests_per_{unit}"
    yield sum(len(jobs) for _, jobs in lanes), "requests", "requests_per_day"


def _busiest(due_ns: Sequence[int], seconds: int) -> int:
    """Most arrivals within any so many seconds."""
    first = most = 0
    for last, at_ns in enumerate(due_ns):
        while at_ns - due_ns[first] >= seconds * 1_000_000_000:
            first += 1
        most = max(most, last - first + 1)
    return most


def _beyond(endpoint: Endpoint, asked: str, limit: str) -> UsageError:
    return UsageError(
        f"{asked} are more than {endpoint.provider.id} is configured for ({limit} in its limits)",
        hint="Stay below it, or give --i-own-this-endpoint",
    )


def _refuse_beyond_budget(plan: Plan, budget: Budget) -> None:
    """A load asks for whole answers and waits for no money, so what it may take at most has to be there."""
    usd, tokens = budget.max_cost_usd, budget.max_tokens
    if usd is not None and (total := sum(one.cost_max_usd or 0.0 for one in forecasts(plan, {}))) > usd:
        raise _too_much(f"cost {total:.2f} USD", f"--max-cost {usd:g}")
    if tokens is not None and (most_tokens := sum(most(plan.request(job), None).tokens for job in plan.jobs)) > tokens:
        raise _too_much(f"use {most_tokens} tokens", f"--max-total-tokens {tokens}")


def _too_much(may: str, bound: str) -> UsageError:
    return UsageError(
        f"this load may {may}, more than {bound}",
        hint="Give fewer --requests or shorter --output-tokens, or raise it",
    )
