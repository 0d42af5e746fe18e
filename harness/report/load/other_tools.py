"""One log, read by the formulas of other tools: their figures beside ours, and why they differ.

The formulas are the views ``dialect_*`` of the results database; this file pairs them with ours and names the cause of
each difference from what is in the log. Source: vLLM 0.33.0 ``vllm/benchmarks/serve.py`` and
``lib/endpoint_request_func.py``; aiperf 0.13.0 ``src/aiperf/metrics/types``; guidellm 0.8.1
``src/guidellm/schemas/base/request_stats.py``, ``statistics.py`` and ``schemas/benchmark/goodput.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import UnknownName
from harness.record.folder import open_run
from harness.report import words
from harness.store.query import rows
from harness.types import JsonObject

_CLOSE = 1e-5
"""Relative difference below which two figures are the same: spans are kept in microseconds."""


class Metric(NamedTuple):
    """One figure of another tool."""

    column: str
    """Of its view, which has the tool's own name."""
    ours: str
    """Column of ``load_summary`` that comes nearest."""
    causes: tuple[str, ...]
    """Names in ``_CAUSES`` of what can set the two apart, the likeliest first."""


class Dialect(NamedTuple):
    """How one tool sums up a load."""

    tool: str
    version: str
    view: str
    metrics: tuple[Metric, ...]
    left_out: str
    """What of it cannot be recomputed from a log, and why."""


_CAUSES = {
    "connect": ("connects", "its clock runs while a connection is opened, {n}"),
    "loose": ("loose", "an error in the stream or a missing end is a success to it and a failure here, {n}"),
    "strict": ("loose", "a missing end is a success to it and a failure here, {n} at most"),
    "first": ("bundled", "it takes the first read for one token, but more were in it, {n}"),
    "chunk": ("uneven", "it counts each gap between events once, not by the tokens that came with it"),
    "between": ("n", "its percentile lies between two values, ours is one that so many tokens do not exceed"),
    "zero": ("shared", "events that shared a read with another count as gaps of 0, {n}"),
    "single": ("single", "an answer of one token passes its TPOT objective as 0, {n}"),
    "unmeasured": ("single", "an answer of one token is not good to it, having no TPOT, {n}"),
    "undetermined": ("single", "an answer of one token is not judged by it, {n}"),
    "call": ("called", "it holds objectives against times since the request call, not the plan, another verdict {n}"),
    "header": ("headed", "it holds objectives against times since the headers, not the plan, another verdict {n}"),
    "errors": ("failed", "it judges only what succeeded; there was a failure, {n}"),
    "span": ("n", "its span runs from the first request call to the last end of a response"),
    "content": ("n", "its span runs from the first request call to the last content of a valid answer"),
    "whole": ("n", "the time to the first token is in it, and a request weighs by its tokens"),
    "weigh": ("n", "a request weighs by its tokens less one"),
    "average": ("n", "it is one average for each request, not a value for each token"),
    "end": ("trailed", "it ends with the stream, which went on after the last output, {n}"),
    "rank": ("n", "its percentile is a measured value, ours lies between two"),
    "events": ("unstated", "it takes events for tokens where the server states none, {n}"),
}
"""Cause -> (count in the log that must not be 0, what it does)."""

_FACTS = """
    select d.endpoint, d.stage, count(*) as n,
        count(*) filter (where not a.reused) as connects,
        count(*) filter (where d.vllm_ok and a.failure_kind is not null) as loose,
        count(*) filter (where a.failure_kind is not null and not d.vllm_ok) as failed,
        count(*) filter (where d.vllm_ok and a.chunk_events[1] > 1) as bundled,
        coalesce(sum(list_sum(a.chunk_events) - len(a.chunk_events)) filter (where d.vllm_ok), 0)::bigint as shared,
        count(*) filter (where d.vllm_ok and a.completion_tokens <= 1 and d.slo_tpot_ms is not null) as single,
        count(*) filter (where d.vllm_ok and a.completion_tokens is null) as unstated,
        count(*) filter (where d.vllm_ok and a.completion_tokens <> list_sum(a.chunk_events)) as uneven,
        count(*) filter (where d.guidellm_ok and a.eof_ns > a.tokn_ns) as trailed,
        count(*) filter (where (l.ttft_sched_ms <= d.slo_ttft_ms) <> (d.vllm_ttft_ms <= d.slo_ttft_ms)
            or (l.e2e_sched_ms <= d.slo_e2e_ms) <> (d.vllm_e2el_ms <= d.slo_e2e_ms)) as called,
        count(*) filter (where (l.ttft_sched_ms <= d.slo_ttft_ms) <> (d.guidellm_ttft_ms <= d.slo_ttft_ms)
            or (l.e2e_sched_ms <= d.slo_e2e_ms) <> (d.guidellm_request_latency_ms <= d.slo_e2e_ms)) as headed
    from dialect_attempts d
    join attempts a using (run_id, job_id, number, shard, session)
    join load_attempts l using (run_id, job_id, number, shard, session)
    where run_id = ? group by all
"""


def _quantiles(column: str, ours: str, causes: tuple[str, ...], names: Sequence[str]) -> tuple[Metric, ...]:
    """The tool's mean, median, p95 and p99 (``names``) of one time; its column and ours have a place for them."""
    of_mean = tuple(cause for cause in causes if cause not in ("rank", "between"))
    own = (("mean", of_mean), ("p50", causes), ("p95", causes), ("p99", causes))
    return tuple(
        Metric(column.format(name), ours.format(mine), reasons)
        for name, (mine, reasons) in zip(names, own, strict=True)
    )


_NUMPY = ("mean", "median", "p95", "p99")
_AIPERF = ("avg", "p50", "p95", "p99")

DIALECTS = {
    "vllm": Dialect(
        "vllm bench serve (Python)",
        "0.33.0",
        "dialect_vllm",
        (
            Metric("completed", "n_ok", ("loose",)),
            Metric("failed", "n_failed", ("loose",)),
            Metric("request_throughput", "ok_per_s", ("loose", "span")),
            Metric("output_throughput", "output_tokens_per_s", ("loose", "span")),
            Metric("request_goodput", "goodput_per_s", ("single", "call", "loose", "span")),
            *_quantiles("{}_ttft_ms", "ttft_{}_ms", ("connect", "loose"), _NUMPY),
            *_quantiles("{}_tpot_ms", "tpot_{}_ms", ("first", "loose"), _NUMPY),
            *_quantiles("{}_itl_ms", "itl_{}_ms", ("zero", "chunk", "loose", "between"), _NUMPY),
            *_quantiles("{}_e2el_ms", "e2e_{}_ms", ("connect", "loose"), _NUMPY),
        ),
        "the time to encode a prompt and to parse a chunk, which are in its marks; tokens counted by a tokenizer where "
        "the server states none",
    ),
    "aiperf": Dialect(
        "aiperf",
        "0.13.0",
        "dialect_aiperf",
        (
            Metric("request_count", "n_ok", ("loose",)),
            Metric("error_request_count", "n_failed", ("loose",)),
            Metric("request_throughput", "ok_per_s", ("loose", "content")),
            Metric("output_token_throughput", "output_tokens_per_s", ("loose", "content")),
            Metric("goodput", "goodput_per_s", ("unmeasured", "call", "loose", "content")),
            Metric("good_request_fraction", "slo_attainment", ("unmeasured", "call", "loose")),
            *_quantiles("ttft_{}_ms", "ttft_{}_ms", ("connect", "loose"), _AIPERF),
            *_quantiles("itl_{}_ms", "itl_{}_ms", ("average", "first", "loose"), _AIPERF),
            *_quantiles("request_latency_{}_ms", "e2e_{}_ms", ("connect", "loose"), _AIPERF),
            Metric("icl_p50_ms", "chunk_gap_p50_ms", ("zero", "loose")),
            Metric("icl_p99_ms", "chunk_gap_p99_ms", ("zero", "loose")),
        ),
        "token counts by a local tokenizer, its default, and --per-chunk-usage",
    ),
    "guidellm": Dialect(
        "guidellm",
        "0.8.1",
        "dialect_guidellm",
        (
            Metric("successful", "n_ok", ("strict",)),
            Metric("errored", "n_failed", ("strict",)),
            Metric("slo_attainment", "slo_attainment", ("errors", "undetermined", "header", "strict")),
            *_quantiles("ttft_{}_ms", "ttft_{}_ms", ("rank", "strict"), _NUMPY),
            *_quantiles("tpot_{}_ms", "tpot_{}_ms", ("whole", "rank", "strict", "events"), _NUMPY),
            *_quantiles("itl_{}_ms", "itl_{}_ms", ("average", "weigh", "first", "strict", "events"), _NUMPY),
            *_quantiles("request_latency_{}_ms", "e2e_{}_ms", ("end", "rank", "strict"), _NUMPY),
        ),
        "its rates over time, which it draws from evenly spaced tokens; the wall clock that its marks are of",
    ),
}
"""By the name that a user gives."""
NAMES = tuple(DIALECTS)


def recompute(results: Path, run: str, dialect: str) -> JsonObject:
    """The loads of a run by the formulas of another tool.

    Returns:
        ``run``, ``dialect``, ``tool``, ``version``, ``left_out``, and ``rows``: for each endpoint, stage and metric
        ``theirs`` (value) under ``metric`` (their name) and ``ours`` (value) under ``our_metric``, milliseconds or
        per second as the names say; ``why`` is one sentence where they differ, None where they do not. A value of
        None: not measured, or not known.

    Raises:
        UnknownName: no such dialect. StoreError: no such run, or the database cannot be read.
    """
    if dialect not in DIALECTS:
        raise UnknownName("dialect", dialect, DIALECTS)
    spoken = DIALECTS[dialect]
    run_id = open_run(results, run).root.name
    order = "order by level, task, stage, endpoint"
    own = rows(results, f"select * from load_summary where run_id = ? {order}", [run_id])  # noqa: S608 - our own names
    by_stage = f"select * from {spoken.view} where run_id = ?"  # noqa: S608 - our own names
    theirs = {(row["endpoint"], row["stage"]): row for row in rows(results, by_stage, [run_id])}
    facts = {(row["endpoint"], row["stage"]): row for row in rows(results, _FACTS, [run_id])}
    found = [
        _compared(metric, row, theirs[key], facts[key])
        for row in own
        if (key := (row["endpoint"], row["stage"])) in theirs
        for metric in spoken.metrics
    ]
    about = {"tool": spoken.tool, "version": spoken.version, "left_out": spoken.left_out}
    return {"run": run_id, "dialect": dialect, **about, "rows": found}


def _compared(metric: Metric, own: JsonObject, theirs: JsonObject, facts: JsonObject) -> JsonObject:
    ours, other = own[metric.ours], theirs[metric.column]
    same = ours == other if ours is None or other is None else math.isclose(ours, other, rel_tol=_CLOSE, abs_tol=1e-9)
    return {
        "endpoint": own["endpoint"],
        "stage": own["stage"],
        "metric": metric.column,
        "theirs": other,
        "our_metric": metric.ours,
        "ours": ours,
        "why": None if same else _why(metric, facts),
    }


def _why(metric: Metric, facts: JsonObject) -> str:
    """What in the log sets the two apart, as one sentence."""
    reasons = [
        text.format(n=_times(facts[count]))
        for count, text in (_CAUSES[cause] for cause in metric.causes)
        if facts[count]
    ]
    if not reasons:
        return "Rounding: nothing in the log sets the two apart."
    return f"{reasons[0][0].upper()}{'; '.join(reasons)[1:]}."


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def show(found: JsonObject, console: Console) -> None:
    """Print what ``recompute`` found: a table for each endpoint and stage, each cause once below it."""
    width = min(console.width, 120)
    console.print(Text(f"By {found['tool']} {found['version']}; left out: {found['left_out']}."), width=width)
    for endpoint, stage in dict.fromkeys((row["endpoint"], row["stage"]) for row in found["rows"]):
        own = [row for row in found["rows"] if (row["endpoint"], row["stage"]) == (endpoint, stage)]
        causes = list(dict.fromkeys(row["why"] for row in own if row["why"]))
        title = Text("\n" + words.plain(f"{endpoint}  {stage.removeprefix('load.')}"), style="bold")
        table = Table(title=title, title_justify="left", header_style="dim", box=None, pad_edge=False)
        for column in (found["dialect"], "theirs", "ours", "here", "why"):
            table.add_column(column, justify="right" if column in ("theirs", "ours") else "left")
        for row in own:
            mark = f"({causes.index(row['why']) + 1})" if row["why"] else ""
            cells = (row["metric"], words.number(row["theirs"], 2), words.number(row["ours"], 2), row["our_metric"])
            table.add_row(*cells, mark)
        console.print(table)
        for number, cause in enumerate(causes, 1):
            console.print(Text(f"({number}) {cause}", style="dim"), width=width)
