"""What a run took against what it may take: money, requests, time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.gates.judgement import Case
from harness.gates.terms import Budget
from harness.store.query import rows

_TAKEN = """
with spent as (
    select cost_usd, cost_unknown_n, cost_known_n as n from endpoint_summary where run_id = $run
    union all select cost_usd, cost_unknown_n, n from judge_summary where run_id = $run
)
select
    (select case when bool_or(cost_unknown_n > 0) then null else coalesce(sum(cost_usd), 0) end from spent) as cost_usd,
    (select sum(cost_unknown_n)::bigint from spent) as unknown_n,
    (select count(*) from attempts
        where run_id = $run and not cached and failure_kind is distinct from 'unasked'
            and failure_kind is distinct from 'unneeded') as requests,
    epoch_us(finished_at - created_at) / 1e6 as duration
from runs where run_id = $run
"""


def cases(results: Path, run: str, budget: Budget) -> Iterator[Case]:
    """A case for each bound that is given. Errors: as ``rows``."""
    taken = rows(results, _TAKEN, {"run": run})[0]
    bounds = (("cost_usd", budget.cost_usd, "USD"), ("requests", budget.requests, "requests"))
    for name, limit, unit in (*bounds, ("duration", budget.duration_s, "s")):
        if limit is None:
            continue
        value = taken[name]
        about = {"unit": unit, "value": value, "limit": limit}
        if value is None:
            unknown = f"the cost of {taken['unknown_n']} requests is not known"
            why = "the run has no end" if name == "duration" else unknown
            yield Case("budget", name, "", "run", "inconclusive", f"{why}", **about)
        elif value > limit:
            yield Case("budget", name, "", "run", "fail", "the run took more than its budget", **about)
        else:
            yield Case("budget", name, "", "run", "pass", "within the budget", **about)
