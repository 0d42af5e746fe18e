"""A run's attempts as OpenTelemetry's GenAI conventions describe a client's operations: plain values, no library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from harness.report.otel import names as otel_names
from harness.store import query
from harness.types import JsonObject

_BATCH = 512
_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
_SQL = """
select
    a.job_id, a.number, a.shard, a.session, a.endpoint, a.kind, a.stage, a.task, a.sample, a.repeat, a.phase, a.turn,
    epoch_ns(a.started_at) as start_ns,
    greatest(epoch_us(m.over_at) - epoch_us(a.started_at), 0) * 1000 as lasted_ns,
    (a.ev1_ns - a.send0_ns) / 1e9 as first_chunk_s,
    a.chunk_delta_us[2:] as gaps_us,
    a.status, a.failure_kind, a.failure_detail, coalesce(a.api, 'chat') as api, a.stream, a.finish_reason,
    a.prompt_tokens, a.completion_tokens, a.cached_tokens, a.reasoning_tokens, a.response_model, a.system_fingerprint,
    a.cost_usd, e.provider, coalesce(e.model_id, e.model) as model, e.base_url,
    t.request_body, t.text, t.reasoning, t.tool_calls_json,
    s.value as score, s.scorer, s.explanation
from attempts a
join attempt_metrics m using (run_id, job_id, number, shard, session)
left join endpoints e on e.run_id = a.run_id and e.endpoint = a.endpoint
left join texts t on t.run_id = a.run_id and t.job_id = a.job_id and t.number = a.number
left join scores s on s.run_id = a.run_id and s.job_id = a.job_id and m.last_attempt and m.ok
where a.run_id = ? and not a.cached and a.failure_kind is distinct from 'unasked'
    and a.failure_kind is distinct from 'unneeded' and (a.api is not null or a.kind <> 'probe')
"""


class Operation(NamedTuple):
    """One attempt that was sent, or failed to be."""

    trace: int
    """128 bits, the same for all attempts of a job and at each export."""
    span: int
    """64 bits, of this attempt."""
    name: str
    start_ns: int
    """Since 1970, UTC: the run's own clock, anchored to the wall stamp of its session."""
    end_ns: int
    attributes: JsonObject
    alike: JsonObject
    """The attributes that its metrics share."""
    failure: str | None
    """Kind of the failure; None: it succeeded."""
    detail: str
    """Why it failed, for a person; empty: it succeeded, or content is not wanted, for it may quote an answer."""
    evaluation: JsonObject | None
    measures: dict[str, list[float]]
    """duration, time_to_first_chunk and time_per_output_chunk in seconds, input_tokens, output_tokens; what is not
    known has no entry."""


def operations(results: Path, run_id: str, *, content: bool) -> Iterator[Operation]:
    """The attempts of a published run that were sent; copies of earlier answers and what was never asked are none.

    ``content``: prompts, answers, and what may quote them. Errors: StoreError as ``query.read_only``.
    """
    with query.read_only(results) as connection:
        result = connection.execute(_SQL, [run_id])
        columns = [str(column[0]) for column in result.description or ()]
        while rows := result.fetchmany(_BATCH):
            for row in rows:
                yield _operation(run_id, dict(zip(columns, row, strict=True)), content=content)


def left_out(results: Path, run_id: str) -> int:
    """How many attempts of a run are no operations."""
    inside = _SQL.partition("where ")[2]
    sql = f"select count(*) as n from attempts a where a.run_id = $1 and not ({inside.replace('?', '$1')})"  # noqa: S608
    return int(query.rows(results, sql, [run_id])[0]["n"])


def _operation(run_id: str, row: JsonObject, *, content: bool) -> Operation:
    what = "embeddings" if row["api"] == "embeddings" else "chat"
    alike = _alike(row, what)
    job = f"{run_id}\n{row['job_id']}"
    attempt = f"{job}\n{row['number']}\n{row['shard']}\n{row['session']}"
    attributes = alike | _told(row) | _ours(run_id, row) | _asked(row["request_body"])
    if content:
        attributes |= _content(row)
    return Operation(
        trace=_bits(job, 16),
        span=_bits(attempt, 8),
        name=f"{what} {row['model'] or row['endpoint']}",
        start_ns=row["start_ns"],
        end_ns=row["start_ns"] + row["lasted_ns"],
        attributes=attributes,
        alike=alike,
        failure=row["failure_kind"],
        detail=(row["failure_detail"] or "") if content else "",
        evaluation=_evaluation(row, content=content),
        measures=_measures(row),
    )


def _bits(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:size], "big") or 1


def _known(values: JsonObject) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}


def _alike(row: JsonObject, what: str) -> JsonObject:
    host, port = _server(row["base_url"])
    return _known(
        {
            "gen_ai.operation.name": what,
            "gen_ai.provider.name": otel_names.provider_name(row["provider"] or row["endpoint"].partition("/")[0]),
            "gen_ai.request.model": row["model"],
            "gen_ai.response.model": row["response_model"],
            "server.address": host,
            "server.port": port,
            "error.type": row["failure_kind"],
        }
    )


def _server(base_url: str | None) -> tuple[str | None, int | None]:
    """Host and port alone: a path or a query may hold what is nobody's business."""
    try:
        parts = urlsplit(base_url or "")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None, None
    return (parts.hostname, port) if parts.hostname else (None, None)


def _told(row: JsonObject) -> JsonObject:
    return _known(
        {
            "gen_ai.request.stream": row["stream"],
            "gen_ai.response.finish_reasons": [row["finish_reason"]] if row["finish_reason"] else None,
            "gen_ai.response.time_to_first_chunk": row["first_chunk_s"] if row["stream"] else None,
            "gen_ai.usage.input_tokens": row["prompt_tokens"],
            "gen_ai.usage.output_tokens": row["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": row["cached_tokens"],
            "gen_ai.usage.reasoning.output_tokens": row["reasoning_tokens"],
            "openai.response.system_fingerprint": row["system_fingerprint"],
            "http.response.status_code": row["status"],
        }
    )


def _ours(run_id: str, row: JsonObject) -> JsonObject:
    own = ("job_id", "number", "kind", "stage", "task", "sample", "repeat", "phase", "turn", "cost_usd")
    return _known({"harness.run_id": run_id, **{f"harness.{name}": row[name] for name in own}})


def _asked(body: str | None) -> JsonObject:
    """Settings of the request, as far as they have the type that the conventions give them."""
    value = _json(body)
    if not isinstance(value, dict):
        return {}
    number = {ours: value[name] for name, ours in _PARAMS.items() if _number(value.get(name))}
    return {ours: float(one) if _is_real(ours) else int(one) for ours, one in number.items()}


def _is_real(name: str) -> bool:
    return not name.endswith(("max_tokens", "seed"))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _content(row: JsonObject) -> JsonObject:
    body = _json(row["request_body"])
    messages = body.get("messages") if isinstance(body, dict) else None
    messages = messages if isinstance(messages, list) else []
    asked = [
        {"role": str(one.get("role")), "parts": [{"type": "text", "content": one.get("content")}]}
        for one in messages
        if isinstance(one, dict)
    ]
    parts: list[JsonObject] = [
        {"type": kind, "content": row[column]}
        for kind, column in (("reasoning", "reasoning"), ("text", "text"))
        if row[column]
    ]
    calls = _json(row["tool_calls_json"]) or []
    parts += [{"type": "tool_call", **call} for call in calls]
    said = [{"role": "assistant", "parts": parts, "finish_reason": row["finish_reason"]}] if parts else None
    return {
        name: json.dumps(value)
        for name, value in (("gen_ai.input.messages", asked or None), ("gen_ai.output.messages", said))
        if value is not None
    }


def _evaluation(row: JsonObject, *, content: bool) -> JsonObject | None:
    if row["scorer"] is None:
        return None
    return _known(
        {
            "gen_ai.evaluation.name": row["scorer"],
            "gen_ai.evaluation.score.value": row["score"],
            "gen_ai.evaluation.explanation": row["explanation"] if content else None,
        }
    )


def _measures(row: JsonObject) -> dict[str, list[float]]:
    """A failed attempt has a duration; its other times are none, also where a part of an answer had arrived."""
    found: dict[str, list[float]] = {"duration": [row["lasted_ns"] / 1e9]}
    if row["failure_kind"] is None and row["stream"] and row["first_chunk_s"] is not None:
        found["time_to_first_chunk"] = [row["first_chunk_s"]]
        found["time_per_output_chunk"] = [gap / 1e6 for gap in row["gaps_us"] or []]
    for name, column in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        if row[column] is not None:
            found[name] = [row[column]]
    return {name: values for name, values in found.items() if values}
