"""One endpoint against another, request by request: what B adds to A in time, failures, tokens, cost and quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

from harness.report.comparison.pairing import Group, match
from harness.report.comparison.same_questions import Asked, scores
from harness.report.comparison.sides import Side
from harness.report.load.figures import is_closed
from harness.report.summary import identity
from harness.report.summary.quality import Quality
from harness.stats.coverage import FLOOR
from harness.stats.family import benjamini_hochberg
from harness.stats.paired import paired_difference
from harness.stats.shift import mean_shift, median_shift
from harness.stats.verdict import verdict
from harness.store.query import rows
from harness.types import JsonObject

Better = Literal["less", "more", "neither"]


class Metric(NamedTuple):
    """What is compared of two requests."""

    name: str
    """As in ``attempt_metrics``, but for the costs of all tries of a request."""
    unit: str
    better: Better


class Alike(NamedTuple):
    """Differences so small that they do not matter to whoever asks."""

    ratio: float
    """Of times, tokens and costs, as a share of A's; above 0."""
    points: float
    """Of failures and quality, as a difference of shares; above 0."""

    @classmethod
    def within(cls, percent: float) -> Alike | None:
        """So many percent, and of shares a fifth of it in points, half a point at least; 0: None."""
        return cls(percent / 100, max(percent / 500, 0.005)) if percent else None


_CLOSED = (Metric("ttft_ms", "ms", "less"), Metric("tpot_ms", "ms", "less"), Metric("e2e_ms", "ms", "less"))
# What a request waited for its turn is a part of its time where arrivals do not wait for answers.
_OPEN = (Metric("ttft_sched_ms", "ms", "less"), Metric("tpot_ms", "ms", "less"), Metric("e2e_sched_ms", "ms", "less"))
_SPEED = Metric("output_tokens_per_s", "tokens/s", "more")
_AMOUNTS = (
    Metric("prompt_tokens", "tokens", "neither"),
    Metric("output_tokens", "tokens", "neither"),
    Metric("cost_usd", "USD", "less"),
)

_FAILURES, _QUALITY = Metric("failures", "share", "less"), Metric("quality", "score", "more")

_SCORERS = """
select distinct scorer || ' version ' || version as scorer from scores
where run_id = $run and endpoint = $endpoint and task = $task order by all
"""


def compared(results: Path, pairs: Sequence[tuple[Side, Side]], alike: Alike | None = None) -> JsonObject:
    """Everything that can be said of B against A, for each pair of endpoints.

    Where ``alike`` is given, a difference whose whole 95 % interval lies within it is called ``same``.

    Returns:
        ``family`` (how many p-values were adjusted together) and ``pairs``, each with ``a`` and ``b`` (``run``,
        ``endpoint``, ``model_id``, ``base_url``), ``same_run``, ``identities`` (lines on who answered, where that
        changed), ``not_compared`` (``kind``, ``task``, ``stage``, ``why``) and ``groups``: ``kind``, ``task``,
        ``stage``, ``unit`` (what n counts), ``counts`` (pairs, answered by both, failed on either), ``dropped``,
        ``timing``, ``no_times`` (why no times are compared; None: they are), ``withheld`` (why quality has no verdict)
        and ``rows``. A row has ``metric``, ``unit``, ``better`` (less, more, neither), ``a``, ``b``, ``difference`` (B
        minus A), ``low``, ``high``, ``ratio`` (B over A) with its bounds, ``n``, ``p_value``, ``p_adjusted``, ``mde``,
        ``test``, ``method`` and ``verdict`` of B. None means that there is no such figure.

    Errors: as ``rows``.
    """
    judged = cache(lambda run, seed: Quality(results, run, seed))
    found = [_pair(results, a, b, judged) for a, b in pairs]
    told = [row for pair in found for group in pair["groups"] for row in group["rows"]]
    tested = [row for row in told if row["p_value"] is not None]
    for row, adjusted in zip(tested, benjamini_hochberg([row["p_value"] for row in tested]), strict=True):
        row["p_adjusted"] = adjusted
    for pair in found:
        for group in pair["groups"]:
            for row in group["rows"]:
                withheld = row["metric"] == "quality" and group["withheld"] is not None
                row["verdict"] = "same" if not withheld and _is_same(row, alike) else _word(row, withheld=withheld)
    return {"pairs": found, "family": len(tested)}


Judged = Callable[[str, int], Quality]
"""The quality of a run by its id and the seed of what is drawn; asked for once."""


def _pair(results: Path, a: Side, b: Side, quality: Judged) -> JsonObject:
    matched = match(results, a, b)
    judged = {group.task: why for group in matched.groups if (why := _another_judgement(results, group, a, b))}
    places = {group.task: {"kind": group.kind, "task": group.task, "stage": group.stage} for group in matched.groups}
    return {
        **{name: _about(side) for name, side in (("a", a), ("b", b))},
        "same_run": a.run == b.run,
        "identities": [line for side in (a, b) for line in _who_answered(results, side)],
        "groups": [_group(results, group, a, b, None if group.task in judged else quality) for group in matched.groups],
        "not_compared": [*matched.refused, *({**places[task], "why": why} for task, why in judged.items())],
    }


def _about(side: Side) -> JsonObject:
    told = {name: side.about.get(name) for name in ("model_id", "base_url")}
    return {"run": side.run.id, "endpoint": side.endpoint, **told}


def _who_answered(results: Path, side: Side) -> list[str]:
    found = identity.identities(results, side.run.id, [side.about])
    return identity.lines([row for row in found if row["endpoint"] == side.endpoint])


def _another_judgement(results: Path, group: Group, a: Side, b: Side) -> str | None:
    """Why the scores of two runs of a task are not comparable; None: they are, or there are none."""
    if group.kind == "load" or a.run == b.run:
        return None
    versions = [_version(side, group.task) for side in (a, b)]
    if versions[0] != versions[1]:
        return f"quality: versions {versions[0]} and {versions[1]} of the task"
    asked = [{"run": side.run.id, "endpoint": side.endpoint, "task": group.task} for side in (a, b)]
    one, other = (" and ".join(row["scorer"] for row in rows(results, _SCORERS, each)) for each in asked)
    return f"quality: scored by {one}, and by {other}" if one and other and one != other else None


def _version(side: Side, task: str) -> object:
    listed: object = side.manifest.get("tasks")
    tasks: list[JsonObject] = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return next((row.get("version") for row in tasks if row.get("name") == task), None)


def _group(results: Path, group: Group, a: Side, b: Side, quality: Judged | None) -> JsonObject:
    """What was found in one stage; without ``quality`` scores are not compared."""
    seed = a.manifest.get("seed")
    drawn = seed if isinstance(seed, int) and seed >= 0 else 0
    found = [_failures(group, drawn), *_measures(group, drawn)]
    withheld = None
    if group.kind != "load" and quality is not None:
        scored = _quality(results, group, a, b, drawn)
        found += [scored] if scored["n"] else []
        withheld = _withheld(group, a, b, lambda run: quality(run, drawn)) if scored["n"] else None
    return {
        **{name: getattr(group, name) for name in ("kind", "task", "stage", "unit", "no_times")},
        "counts": group.failures,
        "dropped": dict(group.dropped),
        "timing": group.timing,
        "withheld": withheld,
        "seed": drawn,
        "rows": found,
    }


def _measures(group: Group, seed: int) -> Iterator[JsonObject]:
    """Times by the median, amounts by the mean, over units that both answered and that have the figure."""
    units = group.answered
    closed = group.kind != "load" or is_closed(group.stage.rpartition("@")[2])
    times = () if group.no_times else (*(_CLOSED if closed else _OPEN), _SPEED)
    for metric in (*times, *_AMOUNTS):
        both = [
            [(pair.a[metric.name], pair.b[metric.name]) for pair in unit.pairs if _stated(pair, metric.name)]
            for unit in units
        ]
        means = [tuple(map(fmean, zip(*told, strict=True))) for told in both if told]
        if not means:
            continue
        first, second = ([float(side) for side in sides] for sides in zip(*means, strict=True))
        shift = mean_shift(first, second, seed=seed) if metric in _AMOUNTS else median_shift(first, second)
        yield _row(metric, asdict(shift))


def _stated(pair: tuple[object, JsonObject, JsonObject], name: str) -> bool:
    return pair[1][name] is not None and pair[2][name] is not None


def _failures(group: Group, seed: int) -> JsonObject:
    """Shares of failed requests over all pairs that both were asked."""
    a, b = ([float(not side["ok"]) for side in sides] for sides in zip(*((p.a, p.b) for p in group.asked), strict=True))
    return _of_shares(_FAILURES, a, b, [pair.key[0] for pair in group.asked], seed)


def _quality(results: Path, group: Group, a: Side, b: Side, seed: int) -> JsonObject:
    """Mean scores of the questions that both have a score for."""
    sides = (Asked(side.run.id, side.endpoint) for side in (a, b))
    found = scores(results, group.kind, group.task, *sides)
    return _of_shares(_QUALITY, found.before, found.after, found.clusters, seed)


def _of_shares(
    metric: Metric, a: Sequence[float], b: Sequence[float], clusters: Sequence[str | None], seed: int
) -> JsonObject:
    found = paired_difference(a, b, clusters, seed=seed)
    means = {name: fmean(values) if values else None for name, values in (("a", a), ("b", b))}
    names = ("n", "difference", "low", "high", "p_value", "mde", "test", "method")
    ratios = dict.fromkeys(("ratio", "ratio_low", "ratio_high"))
    return _row(metric, means | {name: getattr(found, name) for name in names} | ratios)


def _row(metric: Metric, found: JsonObject) -> JsonObject:
    return {"metric": metric.name, "unit": metric.unit, "better": metric.better, **found, "p_adjusted": None}


def _withheld(group: Group, a: Side, b: Side, quality: Callable[[str], Quality]) -> str | None:
    """Why quality has no verdict; None: enough of both could be scored."""
    low = [
        name
        for name, side in (("A", a), ("B", b))
        if not quality(side.run.id).measured((group.kind, group.task, side.endpoint))["enough"]
    ]
    if not low:
        return None
    return f"fewer than {FLOOR:.0%} of what was asked of {' and '.join(low)} could be scored"


def _word(row: JsonObject, *, withheld: bool) -> str:
    """The verdict on B: better or worse, of what is neither more or fewer, and unclear where nothing was shown."""
    low, high = (None, None) if withheld else (row["low"], row["high"])
    if row["better"] == "less":
        low, high = (None if bound is None else -bound for bound in (high, low))
    word = verdict(low, high, row["p_adjusted"])
    return {"better": "more", "worse": "fewer"}.get(word, word) if row["better"] == "neither" else word


def _is_same(row: JsonObject, alike: Alike | None) -> bool:
    """Whether the whole interval lies within what does not matter."""
    if alike is None or row["low"] is None or row["high"] is None:
        return False
    if row["metric"] in (_FAILURES.name, _QUALITY.name):
        return bool(-alike.points <= row["low"] and row["high"] <= alike.points)
    if row["low"] == row["high"] == 0:
        return True
    low, high = row["ratio_low"], row["ratio_high"]
    return low is not None and high is not None and bool(1 - alike.ratio <= low and high <= 1 + alike.ratio)
