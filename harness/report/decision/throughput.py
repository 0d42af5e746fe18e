"""The interval of an endpoint's throughput over all levels of its loads."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from harness.stats.mover import Estimate
from harness.store.query import rows
from harness.types import JsonObject

_LEVELS = """
select endpoint, stage, count(*) as n, sum(output_tokens)::double as tokens, sum(e2e_ms) as busy_ms,
    coalesce(var_samp(output_tokens), 0) as tokens_variance, coalesce(var_samp(e2e_ms), 0) as busy_variance,
    coalesce(covar_samp(output_tokens, e2e_ms), 0) as covariance
from attempt_metrics
where run_id = ? and kind = 'load' and phase = 'measure' and ok and output_tokens is not null and e2e_ms is not null
group by all
"""


class Level(NamedTuple):
    """What the good requests of one level add up to."""

    n: int
    tokens: float
    busy_ms: float
    """The time that each took, added up."""
    tokens_variance: float
    """Unbiased, of one request; so the others."""
    busy_variance: float
    covariance: float
    window_s: float


def throughputs(
    results: Path, run: str, endpoints: Sequence[JsonObject], loads: Sequence[JsonObject]
) -> dict[str, Estimate]:
    """Output tokens per second of all users together, as in ``endpoints`` and ``loads`` of the summary, by endpoint.

    An endpoint without that figure is left out. Errors: as ``rows``.
    """
    windows = {(row["endpoint"], row["stage"]): row["window_s"] for row in loads}
    levels: dict[str, list[Level]] = defaultdict(list)
    for row in rows(results, _LEVELS, [run]):
        name, stage = row.pop("endpoint"), row.pop("stage")
        if window := windows.get((name, stage)):
            levels[name].append(Level(**row, window_s=window))
    known = {row["endpoint"]: row.get("output_tokens_per_s") for row in endpoints}
    return {name: interval(value, levels[name]) for name, value in known.items() if value}


def interval(tokens_per_s: float, levels: Sequence[Level]) -> Estimate:
    """Of T = all tokens / all seconds, on the scale of its logarithm; requests are taken as independent.

    The window of a level is taken to grow with the times of its requests, as it does where so many are under way at
    once. Then ln T changes with request i by tokens_i / tokens - (window / all windows) * (busy_i / busy of its level),
    and its variance is the sum over levels of n times the variance of that. Not bounded where a level has one request.

    Source: Cochran, "Sampling techniques", 3rd ed. (1977), section 6.11, the combined ratio estimator, with the levels
    as strata.
    """
    tokens, seconds = sum(one.tokens for one in levels), sum(one.window_s for one in levels)
    if not levels or tokens <= 0 or any(one.n < 2 or one.busy_ms <= 0 for one in levels):
        return Estimate(tokens_per_s, None, None)
    variance = 0.0
    for one in levels:
        a, b = 1 / tokens, one.window_s / seconds / one.busy_ms
        spread = a * a * one.tokens_variance + b * b * one.busy_variance - 2 * a * b * one.covariance
        variance += one.n * max(0.0, spread)
    far = math.exp(NormalDist().inv_cdf(0.975) * math.sqrt(variance))
    return Estimate(tokens_per_s, tokens_per_s / far, tokens_per_s * far)
