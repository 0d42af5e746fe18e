"""What client and server saw of a load, second by second on one axis: whose doing a slow stretch was."""

from __future__ import annotations

from pathlib import Path

from harness.store.query import rows
from harness.types import JsonObject

_STEPS = 300
"""Steps that a run is cut into, whatever its length."""

_WINDOWS = """
select stage, session, epoch_us(begin_at) / 1e6 as begin_s, epoch_us(end_at) / 1e6 as end_s
from load_windows where run_id = $run and endpoint = $endpoint and end_at is not null order by begin_at
"""
_REQUESTS = """
with lives as (
    select epoch_us(started_at) / 1e6 as sent_s, epoch_us(over_at) / 1e6 as over_s, ok, set_apart, ttft_ms, e2e_ms
    from attempt_metrics where run_id = $run and endpoint = $endpoint and kind = 'load' and slip_ms is not null
),
steps as (select $begin + i * $step as at_s from range($steps) as t(i))
select at_s - $begin as at_s,
    count(*) filter (where sent_s >= at_s and sent_s < at_s + $step) as sent_n,
    count(*) filter (where not ok and not set_apart and over_s >= at_s and over_s < at_s + $step) as failed_n,
    count(*) filter (where sent_s <= at_s + $step / 2 and over_s > at_s + $step / 2) as under_way,
    median(ttft_ms) filter (where sent_s >= at_s and sent_s < at_s + $step) as ttft_p50_ms,
    max(ttft_ms) filter (where sent_s >= at_s and sent_s < at_s + $step) as ttft_max_ms
from steps left join lives on sent_s < at_s + $step and over_s >= at_s
group by at_s order by at_s
"""
_SERVER = """
with read as (
    select epoch_us("at") / 1e6 - $begin as at_s, waiting, running, kv_usage, generation_tokens_total as tokens,
        lag(generation_tokens_total) over (order by "at") as tokens_before,
        epoch_us("at" - lag("at") over (order by "at")) / 1e6 as since_s
    from server_samples where run_id = $run and endpoint = $endpoint
)
select floor(at_s / $step) * $step as at_s, max(waiting) as waiting, max(running) as running, max(kv_usage) as kv_usage,
    avg((tokens - tokens_before) / nullif(since_s, 0)) filter (where tokens >= tokens_before) as tokens_per_s
from read where at_s between -$step and $step * $steps group by all order by at_s
"""
# The monotonic clock of each process is put beside UTC by what it sent: the readings hold no UTC of their own.
_CLIENT = """
with clocks as (
    select shard, median(epoch_us(started_at) * 1000 - send0_ns) as zero_ns, count(distinct session) as sessions
    from attempts where run_id = $run and kind = 'load' and send0_ns is not null group by shard
)
select floor(((at_ns + zero_ns) / 1e9 - $begin) / $step) * $step as at_s, max(lag_max_ns) / 1e6 as loop_lag_max_ms
from client_samples join clocks using (shard)
where run_id = $run and sessions = 1 and (at_ns + zero_ns) / 1e9 between $begin and $begin + $step * $steps
group by all order by at_s
"""


def over_time(results: Path, run: str, endpoint: str) -> JsonObject | None:
    """What happened when, of one endpoint of a run; None: it had no load.

    Returns:
        ``begin_s`` (UTC of the beginning, seconds since 1970), ``step_s``, and rows with ``at_s`` (since the beginning,
        s): ``stages`` (``stage``, ``begin_s``, ``end_s``), ``requests`` (sent, failed and under way, median and largest
        TTFT of what was sent in the step, ms), ``server`` (waiting, running, share of the KV cache, tokens per second
        by its own metrics; empty: they were not read) and ``client`` (how late this client's loop was, ms; empty: not
        known, or several sittings).

    Errors: as ``rows``.
    """
    named = {"run": run, "endpoint": endpoint}
    windows = rows(results, _WINDOWS, named)
    if not windows:
        return None
    begin = min(row["begin_s"] for row in windows)
    step = max((max(row["end_s"] for row in windows) - begin) / _STEPS, 0.05)
    cut = {"begin": begin, "step": step, "steps": _STEPS + 1}
    return {
        "begin_s": begin,
        "step_s": step,
        "stages": [
            {"stage": row["stage"], "begin_s": row["begin_s"] - begin, "end_s": row["end_s"] - begin} for row in windows
        ],
        "requests": rows(results, _REQUESTS, named | cut),
        "server": rows(results, _SERVER, named | cut),
        "client": rows(results, _CLIENT, {"run": run} | cut),
    }
