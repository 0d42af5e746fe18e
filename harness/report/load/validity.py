"""Whether a load run can be believed: the facts that its record holds, and the verdict on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.record.folder import RunFolder
from harness.report.load import partly
from harness.stats.validity import NEAR_CEILING, Facts, Stage, Timing, judge
from harness.store.query import rows
from harness.store.sharded import lost
from harness.types import JsonObject

_HELD_MS = 1.0
"""A request that waited longer than this for a provider's limits was held by them."""
_SHOWN = 20
_TELLING_S = 1.0
"""A shorter stage says nothing about how much of a processor it takes."""

_ATTEMPTS = """
select m.stage, m.endpoint, m.job_id, m.slip_ms, m.admit_slip_ms, m.wait_ms, m.connect_ms, l.loop_lag_max_ms, m.ttft_ms,
    m.e2e_ms, m.clock, m.lag_max_ms, m.coalesced_reads, m.input_tokens_asked, m.prompt_tokens, m.cached_tokens,
    m.output_tokens_asked, m.output_tokens
from attempt_metrics m
left join attempt_lag l using (run_id, job_id, number)
where run_id = ? and m.kind = 'load' and m.phase = 'measure' and not m.set_apart and m.slip_ms is not null
order by m.started_at
"""
_JOURNALLED = "select count(distinct job_id) as n from attempts where run_id = ?"
_WITHOUT = """
select stage, endpoint, count(*) as n, quantile_cont(ttft_ms, 0.5) as ttft_p50_ms,
    quantile_cont(ttft_ms, 0.95) as ttft_p95_ms, quantile_cont(e2e_ms, 0.5) as e2e_p50_ms
from attempt_metrics
where run_id = ? and kind = 'load' and phase = 'measure' and ok and job_id not in (select unnest(?))
group by all order by all
"""


def validity(results: Path, folder: RunFolder, levels: Sequence[JsonObject]) -> JsonObject | None:
    """The verdict on the loads of a run; None: it had none. ``levels`` are its rows of ``load_summary``.

    Returns:
        ``word`` (valid, contaminated, client-limited), ``reasons``, ``warnings``, ``workers_needed``,
        ``contaminated_n`` of ``n`` measured requests, the first ``contaminated_jobs``, and, where there are some,
        ``without``: n, TTFT and E2E in ms by stage and endpoint when they are left out.
    """
    manifest = folder.read_manifest()
    if not manifest.get("loads"):
        return None
    measured = rows(results, _ATTEMPTS, [folder.id])
    open_laws = {level["stage"]: not level.get("closed") for load in manifest["loads"] for level in load["levels"]}
    nonce = all(load.get("nonce") != "none" for load in manifest["loads"])
    limited = {row["id"] for row in manifest["endpoints"] if any((row.get("limits") or {}).values())}
    timings = [_timing(row, open_laws.get(row["stage"], False), row["endpoint"] in limited, nonce) for row in measured]
    stages = list(_stages(manifest, measured, limited, levels))
    found = judge(Facts(timings, stages, manifest.get("clock_jump_s")))
    return {
        "word": found.word,
        "reasons": list(found.reasons),
        "warnings": [*partly.lines(manifest, _journalled(results, folder, manifest)), *found.warnings],
        "workers_needed": found.workers_needed,
        "n": len(measured),
        "contaminated_n": len(found.contaminated_jobs),
        "contaminated_jobs": list(found.contaminated_jobs[:_SHOWN]),
        "without": rows(results, _WITHOUT, [folder.id, list(found.contaminated_jobs)])
        if found.contaminated_jobs
        else [],
    }


def _journalled(results: Path, folder: RunFolder, manifest: JsonObject) -> int | None:
    """Planned requests that have a record; None: nobody asks."""
    return rows(results, _JOURNALLED, [folder.id])[0]["n"] if lost(manifest) else None


def _timing(row: JsonObject, open_law: bool, limited: bool, nonce: bool) -> Timing:  # noqa: FBT001
    """One attempt; its lateness is ours only as far as neither a limit nor a new connection made it wait."""
    slip = row["admit_slip_ms"]
    if open_law and row["slip_ms"] is not None:
        others = row["connect_ms"] or 0.0
        if limited:
            others += row["wait_ms"]
        slip = row["slip_ms"] - others
    return Timing(
        job=row["job_id"],
        slip_ms=slip,
        lag_ms=row["loop_lag_max_ms"],
        ttft_ms=row["ttft_ms"],
        e2e_ms=row["e2e_ms"],
        clock=row["clock"],
        read_delay_ms=row["lag_max_ms"],
        coalesced=row["coalesced_reads"],
        prompt_asked=row["input_tokens_asked"],
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        nonce=nonce,
        output_asked=row["output_tokens_asked"],
        output_tokens=row["output_tokens"],
    )


def _stages(
    manifest: JsonObject, measured: Sequence[JsonObject], limited: Iterable[str], levels: Sequence[JsonObject]
) -> Iterable[Stage]:
    """What each part of the run asked of this client, by endpoint and stage."""
    closed = {level["stage"] for load in manifest["loads"] for level in load["levels"] if level.get("closed")}
    parts: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
    for part in manifest.get("facts") or []:
        for endpoint in part["endpoints"]:
            parts[endpoint, part["stage"]].append(part)
    calibration = manifest.get("calibration") or {}
    held = set(limited)
    for row in levels:
        own = parts[row["endpoint"], row["stage"]]
        seconds = max(((part["ended_ns"] - part["began_ns"]) / 1e9 for part in own), default=0.0)
        waited = [
            one
            for one in measured
            if (one["endpoint"], one["stage"]) == (row["endpoint"], row["stage"]) and one["endpoint"] in held
        ]
        chunks_per_s = sum(part["reads"] for part in own) / seconds if seconds else None
        yield Stage(
            name=f"{row['stage'].removeprefix('load.')} of {row['endpoint']}",
            offered_per_s=None if row["stage"] in closed else row["offered_per_s"],
            sent_per_s=row["achieved_per_s"],
            cpu_share=max(part["cpu_ns"] / 1e9 for part in own) / seconds if seconds >= _TELLING_S else None,
            chunks_per_s=chunks_per_s,
            ceiling_chunks_per_s=_ceiling(calibration, chunks_per_s, max(len(own), 1)),
            floor_ms=calibration.get("floor_ttft_error_ms_p99"),
            late=sum(part["late"] for part in own),
            catch_up=sum(part["caught_up"] for part in own),
            held=sum(one["wait_ms"] > _HELD_MS for one in waited),
            workers=max(len(own), 1),
        )


def _ceiling(calibration: JsonObject, chunks_per_s: float | None, workers: int) -> float | None:
    """Chunks per second that this client can take; None: not known.

    Where something else than the client ended the calibration, its figure is a lower bound: enough to show that the
    client was far from it, and nothing more.
    """
    ceiling: float | None = calibration.get("ceiling_chunks_per_s")
    if ceiling is None or calibration.get("limited_by") == "client":
        return ceiling
    return ceiling if chunks_per_s is not None and chunks_per_s < NEAR_CEILING * ceiling * workers else None
