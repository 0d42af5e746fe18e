"""How much of a load would have been good enough under other objectives than those it was run with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.stats.intervals import wilson
from harness.store.query import rows
from harness.types import JsonObject, Slo

_REQUESTS = """
select endpoint, stage, ok, ttft_sched_ms, tpot_ms, e2e_sched_ms from attempt_metrics
where run_id = ? and kind = 'load' and phase = 'measure' and not set_apart
order by endpoint, stage
"""

Requests = Mapping[tuple[str, str], Sequence["Request"]]
"""The measured requests of each endpoint and stage."""


class Request(NamedTuple):
    """What objectives are judged by, in ms, TTFT and E2E since the planned arrival; None: it has no such time."""

    ok: bool
    ttft_ms: float | None
    tpot_ms: float | None
    e2e_ms: float | None


class Good(NamedTuple):
    """How much of one level kept the objectives."""

    good: int
    n: int
    """Requests that were judged, failed ones among them; an answer to which no objective applies is not."""
    share: float | None
    """None: none was judged."""
    low: float | None
    """Of its 95 % interval (Wilson); None: as share."""
    high: float | None


def requests(results: Path, run: str) -> Requests:
    """The measured requests of a run's loads. Errors: as ``rows``."""
    found: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for row in rows(results, _REQUESTS, [run]):
        place = row["endpoint"], row["stage"]
        found[place].append(Request(row["ok"], row["ttft_sched_ms"], row["tpot_ms"], row["e2e_sched_ms"]))
    return dict(found)


def is_good(request: Request, slo: Slo) -> bool | None:
    """Whether a request kept every objective that applies to it, as ``load_attempts.good`` has it; None: none does."""
    limits = ((request.ttft_ms, slo.ttft_ms), (request.tpot_ms, slo.tpot_ms), (request.e2e_ms, slo.e2e_ms))
    if all(limit is None for _, limit in limits):
        return None
    if not request.ok:
        return False
    kept = [value <= limit for value, limit in limits if value is not None and limit is not None]
    return all(kept) if kept else None


def goodness(of: Iterable[Request], slo: Slo) -> Good:
    """How many of some requests kept the objectives."""
    judged = [good for request in of if (good := is_good(request, slo)) is not None]
    low, high = wilson(sum(judged), len(judged))
    return Good(sum(judged), len(judged), sum(judged) / len(judged) if judged else None, low, high)


def under(levels: Sequence[JsonObject], measured: Requests, slo: Slo) -> list[JsonObject]:
    """The levels of a load report with the figures of other objectives.

    ``slo_attainment`` with its bounds, ``slo_good_n``, ``slo_judged_n`` and ``goodput_per_s`` (good / ``window_s``) are
    replaced; None where there is no such figure.
    """
    return [row | _judged(row, goodness(measured.get((row["endpoint"], row["stage"]), ()), slo)) for row in levels]


def _judged(row: JsonObject, found: Good) -> JsonObject:
    window = row["window_s"]
    return {
        "slo_attainment": found.share,
        "slo_attainment_low": found.low,
        "slo_attainment_high": found.high,
        "slo_good_n": found.good,
        "slo_judged_n": found.n,
        "goodput_per_s": found.good / window if found.n and window else None,
    }


def highest_met(levels: Sequence[JsonObject], target: float = 0.95) -> JsonObject | None:
    """The highest load of one endpoint up to which every level kept the objectives; None: its lowest did not.

    Kept: the share of good requests is at least ``target``. Whether that is sure, its interval says.
    """
    best = None
    for row in sorted((row for row in levels if row["load"] is not None), key=lambda row: row["load"]):
        if (row["slo_attainment"] or 0.0) < target:
            break
        best = row
    return best
