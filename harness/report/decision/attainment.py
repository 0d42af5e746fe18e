"""What share of requests was as fast as a user wants it, for limits that are chosen after the measurement.

A request is inside when it succeeded and kept every limit that applies to it, times from its planned arrival: the rule
of ``load_attempts.good``, whose limits are those of the load. A failed request is outside. One that no limit applies to
(a TPOT of one token) is in no share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.stats.intervals import wilson
from harness.stats.mover import Estimate
from harness.stats.serial import BATCHES
from harness.store.query import rows
from harness.types import JsonObject, Slo

_FEWEST = 4 * BATCHES
"""Requests of a level below which its batches say nothing of what neighbours have in common."""

# Batches are parts of equal length of the time in which a level was sent.
_BATCHES = """
with judged as (
    select endpoint, stage, epoch_us(started_at) as sent_us, ok, output_tokens,
        case
            when not ok then false
            when coalesce($ttft, $tpot, $e2e) is null then true
            when coalesce(ttft_sched_ms <= $ttft, tpot_ms <= $tpot, e2e_sched_ms <= $e2e) is null then null
            else coalesce(ttft_sched_ms <= $ttft, true) and coalesce(tpot_ms <= $tpot, true)
                and coalesce(e2e_sched_ms <= $e2e, true)
        end as good,
        ok and coalesce(ttft_sched_ms > $ttft, false) as slow_ttft,
        ok and coalesce(tpot_ms > $tpot, false) as slow_tpot,
        ok and coalesce(e2e_sched_ms > $e2e, false) as slow_e2e
    from attempt_metrics
    where run_id = $run and kind = 'load' and phase = 'measure' and not set_apart and task = $load
),
spans as (
    select endpoint, stage, min(sent_us) as first_us, max(sent_us) - min(sent_us) + 1 as span_us
    from judged group by all
)
select
    endpoint, stage, (sent_us - first_us) * $batches // span_us as batch,
    count(good) as n, count(*) filter (where good) as good, count(*) filter (where not ok) as failed,
    count(*) filter (where good is null) as na, count(*) filter (where slow_ttft) as slow_ttft,
    count(*) filter (where slow_tpot) as slow_tpot, count(*) filter (where slow_e2e) as slow_e2e,
    case when count(*) filter (where good and output_tokens is null) = 0
        then coalesce(sum(output_tokens) filter (where good), 0)::bigint end as good_tokens
from judged join spans using (endpoint, stage)
group by all order by all
"""
_COUNTS = ("n", "good", "failed", "na", "slow_ttft", "slow_tpot", "slow_e2e")


ALL = ""
"""Stands for all levels of a load together."""


class Attained(NamedTuple):
    """How many requests of an endpoint were inside the limits."""

    n: int
    """Requests that a limit applies to, failed ones among them; attempts set apart are in no count."""
    good: int
    failed: int
    na: int
    """Succeeded, and no limit applies: not in ``n``."""
    slow_ttft: int
    """Succeeded, and beyond the limit; one request may be beyond several."""
    slow_tpot: int
    slow_e2e: int
    good_tokens: int | None
    """Output tokens of those inside; None: those of one are not stated."""
    share: Estimate | None
    """``good / n``; None: n is 0."""
    design_effect: float
    """How many times the variance of independent requests theirs is; at least 1."""


class Batch(NamedTuple):
    """Requests that followed each other in one level."""

    n: int
    good: int


def attained(results: Path, run: str, load: str, limits: Slo) -> dict[str, dict[str, Attained]]:
    """Endpoint -> level (stage) -> how many of its requests were inside; ``ALL`` is all of them together.

    Errors: as ``rows``.
    """
    asked = {"run": run, "load": load, "batches": BATCHES}
    asked |= {"ttft": limits.ttft_ms, "tpot": limits.tpot_ms, "e2e": limits.e2e_ms}
    found: dict[str, dict[str, list[JsonObject]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(results, _BATCHES, asked):
        found[row["endpoint"]][row["stage"]].append(row)
    return {
        endpoint: {ALL: _attained(list(levels.values()))} | {stage: _attained([own]) for stage, own in levels.items()}
        for endpoint, levels in found.items()
    }


def _attained(levels: Sequence[Sequence[JsonObject]]) -> Attained:
    every = [row for level in levels for row in level]
    counts = {name: sum(row[name] for row in every) for name in _COUNTS}
    tokens = [row["good_tokens"] for row in every]
    effect = design_effect([[Batch(row["n"], row["good"]) for row in level if row["n"]] for level in levels])
    return Attained(
        **counts,
        good_tokens=None if None in tokens else sum(tokens),
        share=share(counts["good"], counts["n"], effect),
        design_effect=effect,
    )


def share(good: int, n: int, effect: float = 1.0) -> Estimate | None:
    """Share with Wilson's interval of as many independent requests as ``n`` are worth: ``n / effect``.

    Source: Kish, "Survey sampling" (1965), section 8.2; Dean & Pagano, "Evaluating confidence interval methods for
    binomial proportions in clustered surveys", Journal of Survey Statistics and Methodology 3 (2015).
    """
    if n == 0:
        return None
    worth = max(1, round(n / effect))
    low, high = wilson(worth * good / n, worth)
    return Estimate(good / n, low, high)


def design_effect(levels: Sequence[Sequence[Batch]]) -> float:
    """Variance of the share with batches as clusters, over that of independent requests; never below 1.

    Each level has a share of its own, since how much is asked at once is planned and no chance. A level with fewer than
    40 requests, or that is all good or all bad, tells nothing of it. Of many levels the variances are added up.
    """
    clustered = binomial = 0.0
    for batches in levels:
        n, count = sum(one.n for one in batches), len(batches)
        p = sum(one.good for one in batches) / n if n else 0.0
        if n < _FEWEST or count < 2 or p in (0.0, 1.0):
            continue
        clustered += count / (count - 1) * sum((one.good - p * one.n) ** 2 for one in batches)
        binomial += n * p * (1 - p)
    return max(1.0, clustered / binomial) if binomial else 1.0


def capacity(levels: Mapping[str, Attained], windows: Mapping[str, float | None], target: float) -> Capacity | None:
    """Most that one endpoint gave inside the limits, over the levels at which at least ``target`` of them were inside.

    Args:
        levels: stage -> attainment.
        windows: stage -> length of its whole window, seconds; None: not known.
        target: share of requests that must be inside, by the estimate.

    None: no level reached the target, or its time is not known.
    """
    found = [
        Capacity(stage, one.good / seconds, None if one.good_tokens is None else one.good_tokens / seconds)
        for stage, one in levels.items()
        if stage != ALL
        and one.share is not None
        and one.share.value >= target
        and one.good
        and (seconds := windows[stage])
    ]
    return max(found, key=lambda one: (one.tokens_per_s or 0.0, one.requests_per_s), default=None)


class Capacity(NamedTuple):
    """What one endpoint gave inside the limits."""

    stage: str
    requests_per_s: float
    tokens_per_s: float | None
    """Output tokens; None: not stated."""
