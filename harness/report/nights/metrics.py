"""What is followed from night to night: one list for gates and trends, each figure from the view that defines it.

A reading is one value of one run, endpoint and piece of work (a load's level, a task, all probes); where a load was
planned in blocks it is made of its blocks, which are there one by one. Requests are never thrown together over blocks
or runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness.errors import UnknownName
from harness.stats.blocks import added
from harness.stats.change import Asked, Better, Count, Scale, middle, usable
from harness.stats.coverage import FLOOR as COVERED
from harness.stats.nights import FLOOR
from harness.store.query import rows

_LOADS = "'load' as kind, task, stage, block"
_TASKS = "kind, task, kind || '.' || task as stage, null as block"
_PROBES = "'probe' as kind, 'probes' as task, 'probes' as stage, null as block"
_ASKED = "n_scored + n_failed + n_invalid"


class Source(NamedTuple):
    """A view that has the metric; the texts are SQL over its columns."""

    view: str
    where: str
    """Kind, task, stage and block of a row."""
    value: str
    """NULL: not measured, or so little of it that it stands for nothing."""
    n: str
    """What it rests on: requests, tokens, questions or probes."""
    of: str | None = None
    """Of a share: how many of the ``n`` are so; then the value is ``of / n``. None: it is no share of counts."""


class Sample(NamedTuple):
    """What a percentile is taken of within a run."""

    column: str
    """Of ``attempt_metrics``, milliseconds or tokens per second of one answer."""
    q: float


@dataclass(frozen=True, slots=True)
class NightlyMetric:
    """One metric that can be gated and followed."""

    name: str
    """As the view calls it, where the view has it."""
    title: str
    unit: str
    """``ms``, ``share`` (0 to 1), ``score`` (0 to 1), ``tokens/s``, ``requests/s``, ``characters`` or ``USD``."""
    scale: Scale
    """Whether two values are compared by their ratio or by their difference."""
    better: Better
    sources: tuple[Source, ...]
    sample: Sample | None = None
    """None: no percentile over answers."""
    floor: float = FLOOR
    """Least standard deviation from night to night that a prediction assumes: a share for a ratio, else in the unit."""

    of_objectives: bool = False
    """Whether it depends on the objectives of the load."""

    def asked(self, margin: float, alpha: float) -> Asked:
        """A test of this metric."""
        return Asked(self.scale, self.better, margin, alpha)

    def comparable(self, value: float | None) -> bool:
        """Whether a value is there, finite and, where ratios are taken, above 0."""
        return usable(value, self.asked(0.0, 0.05))

    def middle(self, values: Iterable[float | None]) -> float | None:
        """Mean of those that are comparable, the geometric one of ratios; None of none."""
        asked = self.asked(0.0, 0.05)
        return middle([value for value in values if usable(value, asked)], asked)


class Part(NamedTuple):
    """One block of a load, or all of what has no blocks."""

    value: float | None
    n: int
    of: int | None
    """Of a share: how many of ``n``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of one run, endpoint and piece of work."""

    run_id: str
    endpoint: str
    kind: str
    """``load``, ``quality``, ``tools`` or ``probe``."""
    task: str
    """Name of the load or task; ``probes``."""
    stage: str
    """Stage of the load without the number of a block; ``quality.sums`` of a task."""
    value: float | None
    """In the metric's unit: over blocks the geometric mean of ratios, the share of all counts, else the mean. None: not
    measured."""
    n: int
    of: int | None
    blocks: tuple[Part, ...]
    """In their order; empty: it was not planned in blocks."""

    @property
    def place(self) -> str:
        """The piece of work for people: ``chat@c4``, ``sums`` or ``probes``."""
        return self.stage.removeprefix("load.") if self.kind == "load" else self.task

    @property
    def count(self) -> Count | None:
        """Of a share; None: it is none."""
        return None if self.of is None else Count(self.of, self.n)

    @property
    def block_values(self) -> list[float | None]:
        """One value a block."""
        return [part.value for part in self.blocks]

    @property
    def block_counts(self) -> list[Count]:
        """One count a block, of a share."""
        return [Count(part.of, part.n) for part in self.blocks if part.of is not None]


def _time(name: str, title: str, q: int) -> NightlyMetric:
    """A percentile of ``load_summary`` over answers."""
    n = "tpot_n" if name == "tpot" else "ttft_n" if name.startswith("ttft") else "n_ok"
    source = Source("load_summary", _LOADS, f"{name}_p{q}_ms", n)
    sample = Sample(f"{name}_ms", q / 100)
    return NightlyMetric(f"{name}_p{q}_ms", f"{title} p{q}", "ms", "ratio", "lower", (source,), sample)


def _rate(name: str, title: str, unit: str) -> NightlyMetric:
    source = Source("load_summary", _LOADS, name, "n_ok")
    return NightlyMetric(name, title, unit, "ratio", "higher", (source,))


_TIMES = {
    "ttft": "TTFT",
    "ttft_sched": "TTFT since plan",
    "tpot": "ITL (TPOT)",
    "e2e": "E2E",
    "e2e_sched": "E2E since plan",
}
_ALL = (
    *(_time(name, title, q) for name, title in _TIMES.items() for q in (50, 95, 99)),
    NightlyMetric(
        *("speed_p50", "decode speed p50", "tokens/s", "ratio", "higher"),
        (Source("load_summary", _LOADS, "speed_p50", "tpot_n"),),
        Sample("decode_tokens_per_s", 0.5),
    ),
    _rate("output_tokens_per_s", "output tokens per second", "tokens/s"),
    _rate("window_tokens_per_s", "output tokens per second, measured window", "tokens/s"),
    _rate("ok_per_s", "answers per second", "requests/s"),
    replace(_rate("goodput_per_s", "goodput", "requests/s"), of_objectives=True),
    NightlyMetric(
        *("error_rate", "failed requests", "share", "difference", "lower"),
        (
            Source("load_summary", _LOADS, "n_failed / nullif(n, 0)", "n", "n_failed"),
            Source("quality_summary", _TASKS, f"n_failed / nullif({_ASKED}, 0)", _ASKED, "n_failed"),
        ),
        floor=0.0,
    ),
    NightlyMetric(
        *("slo_attainment", "requests within their objectives", "share", "difference", "higher"),
        (Source("load_summary", _LOADS, "slo_attainment", "slo_judged_n", "slo_good_n"),),
        floor=0.0,
        of_objectives=True,
    ),
    NightlyMetric(
        *("quality", "mean score", "score", "difference", "higher"),
        (
            Source(
                "quality_summary",
                _TASKS,
                f"case when n_scored >= {COVERED} * greatest(n_planned, {_ASKED}) then mean_score end",
                "n_scored",
            ),
        ),
        floor=0.005,
    ),
    NightlyMetric(
        *("usd_per_good", "cost of a good request", "USD", "ratio", "lower"),
        (Source("load_summary", _LOADS, "usd_per_good", "slo_good_n"),),
        of_objectives=True,
    ),
    NightlyMetric(
        *("usd_per_item", "cost of a question", "USD", "ratio", "lower"),
        (Source("cost_summary", _TASKS, "usd_per_item", "items_n"),),
    ),
    NightlyMetric(
        *("usd_per_right", "cost of a right answer", "USD", "ratio", "lower"),
        (Source("cost_summary", _TASKS, "usd_per_right", "right_n"),),
    ),
    NightlyMetric(
        # It falls where a server puts a prompt of its own before the user's, or has another tokenizer.
        *("chars_per_prompt_token", "characters for each prompt token", "characters", "ratio", "higher"),
        (Source("cost_summary", _TASKS, "chars_per_prompt_token", "items_n"),),
    ),
    NightlyMetric(
        *("conformance_support", "support of features", "share", "difference", "higher"),
        (Source("conformance_score", _PROBES, "support / 100", "judged_n"),),
        floor=0.005,
    ),
)
METRICS: Mapping[str, NightlyMetric] = {metric.name: metric for metric in _ALL}
"""Every metric that can be gated and followed, by name."""


def metric_named(name: str) -> NightlyMetric:
    """One of ``METRICS``. Errors: UnknownName with the nearest ones."""
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return METRICS[name]


def readings(
    results: Path, metric: NightlyMetric, *, runs: Sequence[str] | None = None, endpoint: str | None = None
) -> list[Reading]:
    """Every reading of a metric, ordered by run, endpoint and place; those that were asked and not measured too.

    Args:
        results: the results folder; its runs must be published.
        metric: one of ``METRICS``.
        runs: ids; None: all runs.
        endpoint: its id; None: all endpoints.

    Errors: as ``rows``.
    """
    return readings_of(results, [metric], runs=runs, endpoint=endpoint)[metric.name]


def readings_of(
    results: Path, metrics: Sequence[NightlyMetric], *, runs: Sequence[str] | None = None, endpoint: str | None = None
) -> dict[str, list[Reading]]:
    """The same of several metrics by name, with one query for each view: the views of loads are dear."""
    by_view: dict[tuple[str, str], list[tuple[NightlyMetric, Source]]] = {}
    for metric in metrics:
        for source in metric.sources:
            by_view.setdefault((source.view, source.where), []).append((metric, source))
    parts: dict[str, dict[_Key, list[tuple[int | None, Part]]]] = {metric.name: {} for metric in metrics}
    for (view, where), asked in by_view.items():
        query = _sql(view, where, [source for _, source in asked], runs, endpoint)
        for row in rows(results, query, _given(runs, endpoint)):
            stage = row["stage"] if row["block"] is None else re.sub(r"#\d+$", "", row["stage"])
            key = (row["run_id"], row["endpoint"], row["kind"], row["task"], stage)
            for i, (metric, _) in enumerate(asked):
                part = Part(row[f"value{i}"], row[f"n{i}"] or 0, row[f"of{i}"])
                parts[metric.name].setdefault(key, []).append((row["block"], part))
    return {
        metric.name: [_reading(metric, key, own) for key, own in sorted(parts[metric.name].items())]
        for metric in metrics
    }


_Key = tuple[str, str, str, str, str]
"""(run, endpoint, kind, task, stage)."""


def _sql(view: str, where: str, sources: Sequence[Source], runs: Sequence[str] | None, endpoint: str | None) -> str:
    wanted = ["list_contains($runs, run_id)"] if runs is not None else []
    wanted += ["endpoint = $endpoint"] if endpoint is not None else []
    columns = ", ".join(
        f"{source.value} as value{i}, ({source.n})::bigint as n{i}, ({source.of or 'null'})::bigint as of{i}"
        for i, source in enumerate(sources)
    )
    return f"select run_id, endpoint, {where}, {columns} from {view} where {' and '.join(wanted) or 'true'}"  # noqa: S608 - ours


def _given(runs: Sequence[str] | None, endpoint: str | None) -> dict[str, object]:
    return {
        **({} if runs is None else {"runs": list(runs)}),
        **({} if endpoint is None else {"endpoint": endpoint}),
    }


def _reading(metric: NightlyMetric, key: _Key, parts: Sequence[tuple[int | None, Part]]) -> Reading:
    run_id, endpoint, kind, task, stage = key
    only = [part for _, part in parts]
    blocks = [part for block, part in sorted(parts, key=_place) if block is not None]
    whole = _whole(metric, only)
    return Reading(run_id, endpoint, kind, task, stage, whole.value, whole.n, whole.of, tuple(blocks))


def _place(one: tuple[int | None, Part]) -> int:
    return one[0] or 0


def _whole(metric: NightlyMetric, parts: Sequence[Part]) -> Part:
    """Blocks together: each counts alike, but the requests of a share."""
    if len(parts) == 1:
        return parts[0]
    counts = [Count(part.of, part.n) for part in parts if part.of is not None]
    if counts:
        total = added(counts)
        return Part(total.share, total.n, total.of)
    return Part(metric.middle(part.value for part in parts), sum(part.n for part in parts), None)
