"""What a decision weighs: seven measures of each endpoint, and who is told apart from whom in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from harness.report.decision.apart import Apart, Pair, independent, told_apart
from harness.report.decision.monthly import Monthly
from harness.stats.intervals import wilson
from harness.stats.mover import Estimate, difference, exact
from harness.stats.verdict import verdict, verdict_of_ratio
from harness.types import JsonObject

Figure = Callable[[JsonObject], Estimate | None]


class Criterion(NamedTuple):
    """One of the seven."""

    name: str
    title: str
    unit: str
    more: bool
    """Whether more is better."""


CRITERIA = (
    Criterion("quality", "Quality", "% right", more=True),
    Criterion("tools", "Tool calls", "% right", more=True),
    Criterion("ttft", "TTFT p50", "ms", more=False),
    Criterion("throughput", "Throughput", "tokens/s", more=True),
    Criterion("cost", "Cost", "USD a month", more=False),
    Criterion("errors", "Errors", "% of attempts", more=False),
    Criterion("features", "Features", "% of judged", more=True),
)


ABSOLUTE = ("quality", "tools", "errors", "features")
"""Shares, which are worth what they are whoever else was measured; the others are set against the best."""


class Measure(NamedTuple):
    """One criterion over all endpoints that have it."""

    criterion: Criterion
    values: Mapping[str, Estimate]
    """Shares are 0 to 1. Who has none is left out."""
    n: Mapping[str, int]
    """What the figure rests on; who has no such number is left out."""
    apart: Apart
    advantages: Mapping[Pair, Estimate]
    """By how much the first of a pair is better in the unit of ``utility``, matched where the two were compared."""


def measures(
    endpoints: Sequence[JsonObject],
    comparisons: Sequence[JsonObject],
    throughputs: Mapping[str, Estimate],
    bills: Mapping[str, Monthly],
) -> list[Measure]:
    """All seven, in the order of ``CRITERIA``.

    Args:
        endpoints: of the summary.
        comparisons: of every pair, of the summary (``comparisons`` and ``other_pairs``).
        throughputs: by endpoint, with intervals.
        bills: by endpoint.

    Quality, tool calls and TTFT are told apart by the comparisons of the report, on matched questions and prompts and
    adjusted as one family. A pair whose TTFT has no interval there (too few prompts for what neighbours have in common)
    is told apart by the intervals of its two medians. Throughput, cost and errors are told apart by their own
    intervals, features by counting: probes are no sample of anything.
    """
    found = {
        "quality": _scored(endpoints, "quality"),
        "tools": _scored(endpoints, "tools"),
        "ttft": _of(endpoints, lambda row: _bounded(row.get("ttft_p50_ms"), row["ttft_p50_interval_ms"])),
        "throughput": dict(throughputs),
        "cost": {name: bill.usd for name, bill in bills.items() if bill.usd is not None},
        "errors": _of(endpoints, _errors),
        "features": _of(endpoints, _features),
    }
    counts = {
        "quality": {row["endpoint"]: row["quality"]["n"] for row in endpoints if row["quality"]},
        "tools": {row["endpoint"]: row["tools"]["n"] for row in endpoints if row["tools"]},
        "ttft": _counted(endpoints, "ttft_n"),
        "errors": _counted(endpoints, "n"),
        "features": _counted(endpoints, "features_judged"),
    }
    return [_measure(one, found[one.name], counts.get(one.name, {}), comparisons) for one in CRITERIA]


def _measure(
    criterion: Criterion, values: Mapping[str, Estimate], n: Mapping[str, int], comparisons: Sequence[JsonObject]
) -> Measure:
    utilities = utility(criterion, values)
    pairs = combinations(utilities.items(), 2)
    advantages = {(one, other): difference(mine, its) for (one, mine), (other, its) in pairs}
    if criterion.name not in _COMPARED:
        return Measure(criterion, values, n, independent(values, more=criterion.more), advantages)
    apart: set[Pair] = set()
    compared = {(row["baseline"], row["endpoint"]): row for row in comparisons if _is_of(row, criterion)}
    alone = {}
    for pair, by_intervals in advantages.items():
        turned = pair not in compared
        row = compared.get(pair[::-1] if turned else pair)
        if row is None or (criterion.name == "ttft" and row["low"] is None):
            alone[pair] = by_intervals
            continue
        baseline, endpoint = pair[::-1] if turned else pair
        gain, word = _gain(criterion, row, utilities[baseline].value)
        advantages[pair] = gain.times(1 if turned else -1)
        if word in ("better", "worse"):
            apart.add((endpoint, baseline) if word == "better" else (baseline, endpoint))
    return Measure(criterion, values, n, frozenset(apart) | told_apart(alone), advantages)


_COMPARED = {"quality": "quality", "tools": "tools", "ttft": "ttft_ratio"}
"""Criterion -> metric of the comparisons."""


def _is_of(row: JsonObject, criterion: Criterion) -> bool:
    return row["metric"] == _COMPARED[criterion.name] and row["task"] is None


def _gain(criterion: Criterion, row: JsonObject, baseline: float) -> tuple[Estimate, str]:
    """What the endpoint of a comparison has over its baseline, in utility, and the verdict without any margin."""
    low, high, value = row["low"], row["high"], row["value"]
    if criterion.name != "ttft":
        low, high = (None, None) if row["withheld"] else (low, high)
        return Estimate(value or 0.0, low, high), verdict(low, high, row["p_adjusted"])
    # A time r times as long has 1 / r of the utility.
    at, least, most = (None if not ratio else baseline * (1 / ratio - 1) for ratio in (value, high, low))
    return Estimate(at or 0.0, least, most), verdict_of_ratio(low, high, row["p_adjusted"])


def utility(criterion: Criterion, values: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """What each value is worth, 0 to 1, in shares of the best: shares as they are, errors as 1 less their share.

    A time or cost t is worth best / t, a throughput t / best. The best is the yardstick and taken as known. A bound
    that the data do not give is 0 or 1. Where the best costs nothing, what costs nothing is worth 1, and the rest 0.

    Source: Hwang & Yoon, "Multiple attribute decision making" (1981), section 2.2, linear scale transformation.
    """
    if not values:
        return {}
    if criterion.name in ("quality", "tools", "features"):
        return {name: one.within(0, 1) for name, one in values.items()}
    if criterion.name == "errors":
        return {name: Estimate(1 - one.value, *_less(one)).within(0, 1) for name, one in values.items()}
    figures = [one.value for one in values.values()]
    best = max(figures) if criterion.more else min(figures)
    if criterion.more:
        return {name: one.times(1 / best).within(0, 1) if best else exact(1.0) for name, one in values.items()}
    if best <= 0:
        return {name: exact(float(one.value <= 0)) for name, one in values.items()}
    return {name: _over(best, one).within(0, 1) for name, one in values.items()}


def _less(one: Estimate) -> tuple[float | None, float | None]:
    return (None if one.high is None else 1 - one.high, None if one.low is None else 1 - one.low)


def _over(best: float, one: Estimate) -> Estimate:
    low, high = (None if not bound or bound <= 0 else best / bound for bound in (one.high, one.low))
    return Estimate(best / one.value, low, high)


def _of(endpoints: Sequence[JsonObject], figure: Figure) -> dict[str, Estimate]:
    found = {row["endpoint"]: figure(row) for row in endpoints}
    return {name: one for name, one in found.items() if one is not None}


def _scored(endpoints: Sequence[JsonObject], kind: str) -> dict[str, Estimate]:
    def figure(row: JsonObject) -> Estimate | None:
        of = row[kind]
        return None if not of or of["mean"] is None else Estimate(of["mean"], of["low"], of["high"])

    return _of(endpoints, figure)


def _bounded(value: float | None, bounds: Sequence[float | None]) -> Estimate | None:
    return None if value is None else Estimate(value, *bounds)


def _errors(row: JsonObject) -> Estimate | None:
    n = row.get("n")
    return Estimate(row["n_failed"] / n, *wilson(row["n_failed"], n)) if n else None


def _features(row: JsonObject) -> Estimate | None:
    judged = row.get("features_judged")
    return exact(1 - row["features_failed"] / judged) if judged else None


def _counted(endpoints: Sequence[JsonObject], field: str) -> dict[str, int]:
    return {row["endpoint"]: row[field] for row in endpoints if row.get(field)}
