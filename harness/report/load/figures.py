"""A load in numbers: levels by endpoint, what server and client saw, and how far all of it can be trusted.

Every figure comes from a view of the results database; what this file adds is intervals, signs of saturation,
comparisons and warnings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from harness.report.summary.figures import summarise
from harness.stats.percentiles import percentiles
from harness.stats.saturation import LevelPoint, growing, saturated
from harness.stats.steady import steady_window, under_way
from harness.store.query import rows
from harness.types import JsonObject

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_TIMES = ("ttft_ms", "ttft_sched_ms", "tpot_ms", "e2e_ms", "e2e_sched_ms")
_COMPARABLE = 1.5
"""Tokens per read above which inter-token latencies are those of the reads."""
_US = timedelta(microseconds=1)

_ATTEMPTS = """
select endpoint, stage, phase, ok, ttft_ms, ttft_sched_ms, tpot_ms, e2e_ms, e2e_sched_ms, started_at, over_at
from attempt_metrics where run_id = ? and kind = 'load' and not set_apart and slip_ms is not null
order by started_at, job_id, number
"""
_ERRORS = """
select endpoint, stage, failure_kind, count(*) as n, any_value(failure_detail) as example
from attempts where run_id = ? and kind = 'load' and failure_kind is not null
group by all order by endpoint, n desc, failure_kind, stage
"""
_OF_RUN = "select * exclude (run_id) from {} where run_id = ? order by all"


def load_report(
    results: Path,
    run: str,
    *,
    summary: JsonObject | None = None,
    validity: JsonObject | None = None,
    search: JsonObject | Sequence[JsonObject] | None = None,
) -> JsonObject:
    """Everything the report of a load shows.

    Args:
        results: the results folder; the run must be published.
        run: id, or the beginning of one.
        summary: of the run, by ``summarise``; None: it is made here.
        validity: the verdict on the run, as ``harness.report.load.validity`` gives it; None: it was not judged.
        search: what a search or a sweep found, one object for each endpoint; None: there was none.

    Returns:
        ``run``, ``validity``, ``levels`` (a row for each endpoint and stage: all of ``load_summary``, with ``closed``,
        ``load`` (requests at once where closed, else per second), ``since`` (``send`` or ``plan``: where its times
        begin), ``times`` (metric -> quantile -> value, interval, n, enough), ``steady``, ``growing`` and
        ``saturated``), ``saturation``, ``comparisons``, ``server``, ``client``,
        ``errors``, ``limits``, ``adapted``, ``identities``, ``server_times``, ``warnings`` and ``search``.
        Milliseconds, per second and USD; None: not measured or not known.

    Raises:
        StoreError: there is no such run, its manifest is damaged, or the database cannot be read.
    """
    summary = summary or summarise(results, run, only_loads=True)
    run_id = summary["run"]["id"]
    attempts: Mapping[tuple[str, str], list[JsonObject]] = defaultdict(list)
    for row in rows(results, _ATTEMPTS, [run_id]):
        attempts[row["endpoint"], row["stage"]].append(row)
    levels = [_level(row, attempts[row["endpoint"], row["stage"]]) for row in summary["loads"]]
    saturation = _saturation(levels)
    server = rows(results, _OF_RUN.format("server_summary"), [run_id])
    report: JsonObject = {
        "run": summary["run"],
        "health": summary["health"],
        "identities": summary["identities"],
        "server_times": summary["server_times"],
        "adapted": summary["adapted"],
        "validity": validity,
        "levels": levels,
        "saturation": saturation,
        "comparisons": [row for row in summary["comparisons"] if row["metric"] == "ttft_ratio"],
        "server": server,
        "client": rows(results, _OF_RUN.format("client_summary"), [run_id]),
        "errors": rows(results, _ERRORS, [run_id]),
        "limits": rows(results, _OF_RUN.format("rate_limits"), [run_id]),
        "search": [search] if isinstance(search, dict) else None if search is None else list(search),
    }
    report["warnings"] = [
        *((validity or {}).get("warnings") or ()),
        *_warnings(levels, server),
        *_throttled(report["limits"]),
    ]
    return report


# --- one level -------------------------------------------------------------------------------------------


def _level(row: JsonObject, attempts: Sequence[JsonObject]) -> JsonObject:
    """One row of ``load_summary`` with what only its attempts in their order can tell."""
    closed = is_closed(row["law"] or row["stage"].rpartition("@")[2])
    measured = [one for one in attempts if one["phase"] == "measure"]
    return {
        **row,
        "closed": closed,
        "load": _load_of(row, closed=closed),
        "since": "send" if closed else "plan",
        "times": {name: _percentiles(name, measured, None) for name in _TIMES},
        "steady": _steady(measured),
        "growing": not closed and _grows(attempts),
        "saturated": False,
    }


def is_closed(law: str) -> bool:
    """Whether an arrival law, by its label, waits for answers: ``c4``, not ``p2.5``."""
    return re.match(r"c\d|closed", law) is not None


def _percentiles(name: str, measured: Sequence[JsonObject], since: datetime | None) -> JsonObject:
    # A failed attempt has no times.
    values = [one[name] for one in measured if one[name] is not None and (since is None or one["started_at"] >= since)]
    found = percentiles(values, list(_QUANTILES.values()))
    return {label: one._asdict() for label, one in zip(_QUANTILES, found, strict=True)}


def _lives(attempts: Sequence[JsonObject], origin: datetime) -> list[tuple[int, int]]:
    """(start, end) of each in ns since ``origin``, in order of starting."""
    return sorted(
        ((one["started_at"] - origin) // _US * 1000, (one["over_at"] - origin) // _US * 1000) for one in attempts
    )


def _steady(measured: Sequence[JsonObject]) -> JsonObject | None:
    """The steady part, seconds since the first send, with the TTFT of what was sent in it; None: nothing was."""
    if not measured:
        return None
    origin = measured[0]["started_at"]
    lives = _lives(measured, origin)
    found = steady_window([start for start, _ in lives], [end for _, end in lives])
    assert found is not None
    part = found.steady
    return {
        "begin_s": None if part is None else part.start_ns / 1e9,
        "end_s": None if part is None else part.end_ns / 1e9,
        "n": found.n,
        "kept": found.kept,
        "reason": found.reason,
        "ttft_ms": None
        if part is None
        else _percentiles("ttft_ms", measured, origin + timedelta(microseconds=part.start_ns // 1000)),
    }


def _grows(attempts: Sequence[JsonObject]) -> bool:
    """Whether requests pile up; warm-ups and cool-downs are part of the flow."""
    if not attempts:
        return False
    lives = _lives(attempts, attempts[0]["started_at"])
    return growing([start for start, _ in lives], under_way(lives))


# --- across levels ---------------------------------------------------------------------------------------


def _saturation(levels: Sequence[JsonObject]) -> list[JsonObject]:
    """Where each endpoint stopped giving more, and a mark on the levels from there on."""
    found = []
    for endpoint, closed in dict.fromkeys((row["endpoint"], row["closed"]) for row in levels):
        own = [row for row in levels if (row["endpoint"], row["closed"]) == (endpoint, closed)]
        points = [
            LevelPoint(load, row["ok_per_s"], row["e2e_sched_p50_ms"])
            for row in own
            if (load := row["load"]) and row["ok_per_s"] and row["e2e_sched_p50_ms"]
        ]
        full = saturated(points)
        if full is None:
            continue
        found.append({"endpoint": endpoint, "axis": "concurrency" if closed else "rate", **full._asdict()})
        for row in own:
            row["saturated"] = (row["load"] or 0) >= full.at
    return found


def _load_of(row: JsonObject, *, closed: bool) -> float | None:
    """Requests at once of a closed level, requests per second of an open one."""
    if not closed:
        offered: float | None = row["offered_per_s"]
        return offered
    number = re.search(r"\d+", row["law"] or row["stage"].rpartition("@")[2])
    return float(number[0]) if number else None


def _warnings(levels: Sequence[JsonObject], server: Sequence[JsonObject]) -> list[str]:
    """What changes what the figures mean, each with its number."""
    found = []
    for row in levels:
        name = f"{row['stage'].removeprefix('load.')} of {row['endpoint']}"
        found += [text.format(name=name, **row) for applies, text in _SIGNS if applies(row)]
    found += [
        f"{row['stage'].removeprefix('load.')} of {row['endpoint']}: the server was restarted; its means are left out"
        for row in server
        if row["restarted"]
    ]
    return found


def _throttled(limits: Sequence[JsonObject]) -> list[str]:
    """What is known of the limit that refused requests."""
    found = []
    for row in limits:
        if not row["throttled_n"]:
            continue
        stated, seen = row["requests_per_minute_stated"], row["requests_per_minute_seen"]
        told = [f"it states {stated} requests a minute"] if stated is not None else []
        if seen is not None:
            told.append(f"after its first refusal it took {seen:.0f} a minute")
        wait = row["retry_after_p50_s"]
        told += [f"it asks to wait {wait:g} s"] if wait is not None else []
        found.append(f"{row['endpoint']} refused {row['throttled_n']} requests by a limit: {', '.join(told)}")
    return found


_SIGNS: tuple[tuple[Callable[[JsonObject], bool], str], ...] = (
    (
        lambda row: row["growing"],
        "{name}: requests piled up, more arrived than were answered: its times grow with its length",
    ),
    (
        lambda row: (row["tokens_per_read"] or 0) > _COMPARABLE,
        "{name}: {tokens_per_read:.1f} tokens per read: ITL percentiles are coalesced, not comparable",
    ),
    (lambda row: bool(row["stalls_n"]), "{name}: {stalls_n} stalls, gaps of over 250 ms and 10 times the usual"),
    (lambda row: bool(row["n_throttled"]), "{name}: {n_throttled} of {n} were refused by a limit or for want of room"),
    (
        lambda row: (
            row["reused_share"] is not None and row["reused_share"] < 0.5 and row["n"] > (row["concurrency_max"] or 0)
        ),
        "{name}: {reused_share:.0%} of requests found a kept connection; connecting is not in times since sending",
    ),
    (
        lambda row: bool(row["n_abandoned"]),
        "{name}: {n_abandoned} were given up by their users, as planned: in no figure",
    ),
    (lambda row: bool(row["n_unasked"]), "{name}: {n_unasked} later turns were not asked, their session had failed"),
    (lambda row: bool(row["n_cancelled"]), "{name}: {n_cancelled} were cancelled, the run was stopped: in no figure"),
    (
        lambda row: bool(row["slo_na_n"]),
        "{name}: to {slo_na_n} of {n_ok} answers an objective does not apply (too few tokens): judged by the others",
    ),
)
"""(whether it applies to a level, what is said then)."""
