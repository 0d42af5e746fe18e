"""What two endpoints together would have given: one is asked first, the other when that fails or is too slow.

Nothing is sent: the recorded outcomes of the same prompts are put together. So it is assumed that either would have
answered as it did, whoever else was asked: that the load which moves from one to the other changes nothing, that both
fail together as often as they did on the same prompts here, and that a request which is given up is paid for in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.report.decision.attainment import ALL, Attained
from harness.report.decision.monthly import Monthly
from harness.stats.intervals import quantile, quantile_interval
from harness.stats.mover import Estimate
from harness.store.query import frame
from harness.types import Slo

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_GROUPS = 1000
"""Prompts are resampled one by one up to so many, else in so many groups."""
_DRAWS = 999
_FEWEST = 5
"""Prompts below which nothing can be said: five give 126 different resamples."""

_PAIRED = """
with outcomes as (
    select endpoint, stage, sample, repeat, turn, ok, coalesce(ttft_sched_ms, e2e_sched_ms) as first_ms, tpot_ms,
        e2e_sched_ms as whole_ms, epoch_us(over_at - planned_at) / 1e3 as over_ms, epoch_us(started_at) as sent_us,
        case when not cost_unknown then coalesce(cost_usd, 0) end as cost
    from attempt_metrics
    where run_id = $run and kind = 'load' and phase = 'measure' and last_attempt and not set_apart and task = $load
        and endpoint in ($first, $second) and $level in ('', stage)
),
p as (from outcomes where endpoint = $first),
f as (from outcomes where endpoint = $second)
select p.ok as p_ok, p.first_ms as p_first, p.tpot_ms as p_tpot, p.whole_ms as p_whole, p.over_ms as p_over,
    p.cost as p_cost, f.ok as f_ok, f.first_ms as f_first, f.tpot_ms as f_tpot, f.whole_ms as f_whole,
    f.over_ms as f_over, f.cost as f_cost
from p join f using (stage, sample, repeat, turn) order by p.sent_us, f.sent_us
"""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of each prompt at one endpoint; NaN: it did not happen, or is not known."""

    ok: NDArray[np.bool_]
    first_ms: Numbers
    """First token since the planned arrival; of an answer that is not streamed its end."""
    tpot_ms: Numbers
    whole_ms: Numbers
    """End of the answer since the planned arrival."""
    over_ms: Numbers
    """When it was over, well or not, since the planned arrival."""
    cost_usd: Numbers
    moved: NDArray[np.bool_] | None = None
    """Whether the second endpoint was asked; None: there was none."""


class Routed(NamedTuple):
    """What a way of asking would have given on the recorded prompts."""

    name: str
    n: int
    moved: Estimate | None
    """Share of prompts that went to the second endpoint; None: there was none."""
    failed: Estimate
    inside: Estimate
    """Share that succeeded and kept every limit that applies; where none applies, that succeeded."""
    usd_per_1000: Estimate | None
    """USD of a thousand requests; None: the cost of one is not known."""
    first_p50_ms: Estimate | None
    """Of the good ones; None: nothing succeeded. So ``first_p95_ms``."""
    first_p95_ms: Estimate | None


def ways(attained: Mapping[str, Attained], bills: Mapping[str, Monthly], target: float) -> tuple[str, str] | None:
    """Who is asked first and who second; None: there are no two.

    First the cheapest of those with at least ``target`` inside the limits, by the estimate; where none is, or none of
    them has a known bill, the one with most inside. Second the next by the same order.
    """

    def place(name: str) -> tuple[bool, float, float]:
        found, usd = attained[name].share, bills[name].usd
        share = 0.0 if found is None else found.value
        known = share >= target and usd is not None
        return (not known, usd.value if known and usd is not None else 0.0, -share)

    names = sorted((name for name in attained if attained[name].n and name in bills), key=place)
    return (names[0], names[1]) if len(names) > 1 else None


def paired(results: Path, run: str, load: str, first: str, second: str, level: str = ALL) -> tuple[Outcomes, Outcomes]:
    """What came of the prompts that both were asked; retries in place of the first try, attempts set apart left out.

    ``level`` is the stage of the load.

    Errors: as ``rows``.
    """
    asked = {"run": run, "load": load, "first": first, "second": second, "level": level}
    found = frame(results, _PAIRED, asked)
    return _outcomes(found, "p"), _outcomes(found, "f")


def _outcomes(found: pd.DataFrame, side: str) -> Outcomes:
    named = ("first", "tpot", "whole", "over", "cost")
    ok, *numbers = (found[f"{side}_{name}"] for name in ("ok", *named))
    return Outcomes(ok.to_numpy(bool), *(each.to_numpy(float, na_value=float("nan")) for each in numbers))


def route(first: Outcomes, second: Outcomes, limits: Slo) -> Outcomes:
    """Ask ``first``; where it fails, or has no first token within the limit, ask ``second`` from that moment on.

    So the wait is until the failure was known, and at most the limit for the first token; without such a limit only a
    failure moves a prompt. Both are paid for. Times per token are those of the one that answered.
    """
    import numpy as np  # noqa: PLC0415 - a report without routing does not wait for it

    limit = np.inf if limits.ttft_ms is None else limits.ttft_ms
    moved = ~first.ok | (first.first_ms > limit)
    waited = np.where(first.ok, limit, np.fmin(first.over_ms, limit))

    def chosen(own: Numbers, other: Numbers) -> Numbers:
        return np.where(moved, other, own)

    return Outcomes(
        ok=np.where(moved, second.ok, first.ok),
        first_ms=chosen(first.first_ms, waited + second.first_ms),
        tpot_ms=chosen(first.tpot_ms, second.tpot_ms),
        whole_ms=chosen(first.whole_ms, waited + second.whole_ms),
        over_ms=chosen(first.over_ms, waited + second.over_ms),
        cost_usd=np.where(moved, first.cost_usd + second.cost_usd, first.cost_usd),
        moved=moved,
    )


def measured(name: str, found: Outcomes, limits: Slo, *, seed: int) -> Routed:
    """The figures of one way, shares and cost with intervals by the bootstrap over prompts, percentiles by order.

    The bootstrap draws prompts, or groups of them where there are many, with all that came of them; its bounds are the
    2.5 and 97.5 % points of the draws. Of a share that is 0 or 1 every draw is the same, which is no proof: its other
    bound is 3 / n. Below five prompts nothing is bounded.

    Source: Efron & Tibshirani, "An introduction to the bootstrap" (1993), section 13.3; Wolter, "Introduction to
    variance estimation", 2nd ed. (2007), chapter 2, for groups; Hanley & Lippman-Hand, JAMA 249 (1983), for 3 / n.

    Raises:
        ValueError: there is no prompt.
    """
    import numpy as np  # noqa: PLC0415

    n = len(found.ok)
    if n == 0:
        raise ValueError("no prompt was answered or failed at both")
    columns = [(~found.ok).astype(float), _inside(found, limits).astype(float), found.cost_usd]
    if found.moved is not None:
        columns.append(found.moved.astype(float))
    means = _means(np.stack(columns), seed)
    good = np.sort(found.first_ms[found.ok & ~np.isnan(found.first_ms)]).tolist()
    return Routed(
        name=name,
        n=n,
        failed=_share(means[0], n),
        inside=_share(means[1], n),
        usd_per_1000=None if np.isnan(means[2].value) else means[2].times(1000),
        moved=_share(means[3], n) if found.moved is not None else None,
        first_p50_ms=_quantile(good, 0.5),
        first_p95_ms=_quantile(good, 0.95),
    )


def _inside(found: Outcomes, limits: Slo) -> NDArray[np.bool_]:
    import numpy as np  # noqa: PLC0415

    inside = found.ok.copy()
    pairs = (found.first_ms, limits.ttft_ms), (found.tpot_ms, limits.tpot_ms), (found.whole_ms, limits.e2e_ms)
    for times, limit in pairs:
        if limit is not None:
            inside &= ~(times > limit)  # a time that does not apply is not beyond the limit
    return np.asarray(inside)


def _means(values: Numbers, seed: int) -> Sequence[Estimate]:
    """Mean of each row with its bootstrap interval over columns."""
    import numpy as np  # noqa: PLC0415

    n = values.shape[1]
    middle = values.mean(axis=1)
    if n < _FEWEST:
        return [Estimate(float(mean), None, None) for mean in middle]
    groups = min(n, _GROUPS)
    edges = np.arange(groups) * n // groups
    # In a random order, or a group would hold prompts that were asked at the same level.
    mixed = np.random.default_rng(seed).permutation(n)
    sums, sizes = np.add.reduceat(values[:, mixed], edges, axis=1), np.diff(np.append(edges, n)).astype(float)
    times = np.random.default_rng(seed + 1).multinomial(groups, np.full(groups, 1 / groups), size=_DRAWS)
    drawn = (times @ sums.T) / (times @ sizes)[:, None]
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return [Estimate(*map(float, found)) for found in zip(middle, low, high, strict=True)]


def _share(found: Estimate, n: int) -> Estimate:
    """A share of none or all: by the rule of three."""
    if found.low is None or found.value not in (0.0, 1.0):
        return found
    most = min(1.0, 3 / n)
    return Estimate(0.0, 0.0, most) if found.value == 0 else Estimate(1.0, 1 - most, 1.0)


def _quantile(ordered: Sequence[float], q: float) -> Estimate | None:
    if (value := quantile(ordered, q)) is None:
        return None
    return Estimate(value, *quantile_interval(ordered, q))
