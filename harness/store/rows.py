"""Records as the rows of the tables: what was recorded, what is understood of it, and text that can be stored.

What a row lacks is NULL. Moments are microseconds since 1970, UTC, and fractions that JSON has no number
for are their names (``nan``, ``inf``), which the tables read back as what they were.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from operator import sub
from typing import Any

import orjson

from harness import contract
from harness.exchange import Completion, Exchange, Failure, Outcome, StreamMarks, Usage, WireMarks
from harness.prices import cost_usd, reported_usd
from harness.provider import Naming, Price
from harness.record.journal import Session
from harness.secrets import hidden
from harness.store.identity import who_answered
from harness.types import Attempt, JsonObject

REPLACED = frozenset({"lone_surrogate", "invalid_utf8"})
"""Deviations by which ``assemble`` says that it put U+FFFD for something."""
_INT32_MAX, _UINT16_MAX = 2**31 - 1, 2**16 - 1
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_NOT_STATED = Usage()


_COUNTED = ("quality", "tools")
"""Kinds of jobs whose text is a user's own: what it costs is told by the character too."""


def outcome_of(attempt: Attempt, assembled: Outcome) -> Outcome:
    """What a recorded attempt came to; answers of other paths are not understood, only their failures are.

    So too of probes all that is no chat: what it shows is for the judge of its probe to say.
    """
    api = attempt.request.api
    if api == "chat" or (api is not None and attempt.job.kind != "probe"):
        return assembled
    status = attempt.exchange.status
    refused = attempt.exchange.failure is not None or status is None or not 200 <= status < 300
    return Outcome(completion=None, failure=assembled.failure if refused else None)


def moment_us(session: Session, at_ns: int) -> int:
    """A time of the session's clock as microseconds since 1970, UTC."""
    return (session.wall - _EPOCH) // _MICROSECOND + (at_ns - session.mono_ns) // 1000


def attempt_row(
    run_id: str, session: Session, attempt: Attempt, outcome: Outcome, price: Price | None, naming: Naming
) -> JsonObject:
    """The attempt in table ``attempts``, without ``text_lossy``; ``naming`` is what its provider declares.

    A copy of an earlier run's answer has no times here, whatever its record says: none of them is of this run.
    """
    job, exchange, marks, failure = attempt.job, attempt.exchange, attempt.exchange.marks, outcome.failure
    if exchange.cached:
        exchange, marks = replace(exchange, reads=(), coalesced_reads=0, lag_max_ns=None), WireMarks()
    row: JsonObject = {
        "run_id": run_id,
        "job_id": job.id,
        "number": attempt.number,
        "endpoint": job.endpoint,
        "kind": job.kind,
        "stage": job.stage,
        "task": job.task,
        "sample": job.sample,
        "repeat": job.repeat,
        "phase": job.phase,
        "turn": job.turn,
        "give_up_s": real(job.give_up_s),
        "input_tokens_asked": job.input_tokens,
        "output_tokens_asked": job.output_tokens,
        "shard": session.shard,
        "session": session.session,
        "sched_ns": attempt.sched_ns,
        "admit_ns": attempt.admit_ns,
        "dns_ns": marks.dns_ns,
        "conn_ns": marks.conn_ns,
        "tls_ns": marks.tls_ns,
        "send0_ns": marks.send0_ns,
        "send1_ns": marks.send1_ns,
        "hdr_ns": marks.hdr_ns,
        "eof_ns": marks.eof_ns,
        "started_at": moment_us(session, attempt.admit_ns if marks.send0_ns is None else marks.send0_ns),
        "status": exchange.status,
        **_failed(failure),
        **{name: getattr(attempt.request, name) for name in ("api", "stream", "workload_sha256")},
        "clock": exchange.clock,
        "reused": exchange.reused,
        "coalesced_reads": exchange.coalesced_reads,
        "n_reads": len(exchange.reads),
        "lag_max_ns": exchange.lag_max_ns,
        "in_flight": attempt.in_flight,
        "cached": exchange.cached,
        **who_answered(exchange, naming),
        "deviations": (),
    }
    if job.kind in _COUNTED:
        row["prompt_chars"] = _prompt_chars(attempt.request.body)
    if outcome.completion is not None:
        understood = outcome.completion
        if exchange.cached:
            understood = replace(understood, marks=StreamMarks(), output_ns=(), output_events=())
        row |= _understood(understood, marks.send0_ns) | _paid(understood, price, exchange)
        if failure is None:
            row["contract_faults"] = contract.faults(outcome.completion, attempt.request.body or b"")
    return row


def _failed(failure: Failure | None) -> JsonObject:
    if failure is None:
        return {}
    return {
        "failure_kind": failure.kind,
        "failure_detail": failure.detail,
        "retry_after_s": real(failure.retry_after_s),
    }


def _prompt_chars(body: bytes | None) -> int | None:
    """Characters of text in the messages, items or inputs of a request; None: it has none."""
    try:
        asked = orjson.loads(body or b"")
        messages = asked["messages"] if "messages" in asked else asked["input"]
        texts = [one if isinstance(one, str) else one.get("content", one.get("output")) for one in messages]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return sum(len(text) if isinstance(text, str) else _part_chars(text) for text in texts)


def _part_chars(parts: Any) -> int:
    """Characters of a message in parts, such as text beside an image."""
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return sum(len(text) for text in texts if isinstance(text, str))


def _paid(completion: Completion, price: Price | None, exchange: Exchange) -> JsonObject:
    if exchange.cached:
        return {"cost_usd": 0.0, "cost_source": "cache"}
    usd = cost_usd(completion.usage, price, exchange.headers)
    if usd is None:
        return {}
    reported = reported_usd(completion.usage, price, exchange.headers) is not None
    return {"cost_usd": real(usd), "cost_source": "reported" if reported else "prices"}


def _understood(completion: Completion, send0_ns: int | None) -> JsonObject:
    marks, usage, events = completion.marks, completion.usage or _NOT_STATED, completion.output_events
    return {
        "ev1_ns": marks.ev1_ns,
        "tok1_ns": marks.tok1_ns,
        "vis1_ns": marks.vis1_ns,
        "tool1_ns": marks.tool1_ns,
        "tokn_ns": marks.tokn_ns,
        "fin_ns": marks.fin_ns,
        "done_ns": marks.done_ns,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "response_model": completion.model,
        "system_fingerprint": completion.system_fingerprint,
        "tool_calls": len(completion.tool_calls),
        "text_chars": len(completion.text),
        "vectors": len(completion.vectors) or None,
        "dimensions": len(completion.vectors[0]) if completion.vectors else None,
        "chunk_delta_us": None if send0_ns is None else _steps_us(send0_ns, completion.output_ns),
        "chunk_events": events if max(events, default=0) <= _UINT16_MAX else [min(n, _UINT16_MAX) for n in events],
        "deviations": completion.deviations,
    }


def _steps_us(start_ns: int, times_ns: tuple[int, ...]) -> list[int]:
    """Gaps in microseconds, rounded so that their sums stay within half a microsecond of the truth."""
    start_ns -= 500
    since_start = [(at - start_ns) // 1000 for at in times_ns]
    steps = [*since_start[:1], *map(sub, since_start[1:], since_start)]
    return steps if max(steps, default=0) <= _INT32_MAX else [min(step, _INT32_MAX) for step in steps]


def text_row(run_id: str, attempt: Attempt, outcome: Outcome) -> JsonObject:
    """The attempt in table ``texts``; bodies that are no UTF-8 have U+FFFD and the row says so.

    A load gives thousands of good answers that nobody reads: their bodies stay in the journal alone.
    """
    completion = outcome.completion
    row: JsonObject = {"run_id": run_id, "job_id": attempt.job.id, "number": attempt.number}
    lossy = False
    answer = None if attempt.job.kind == "load" and outcome.ok else attempt.exchange.body
    for name, body in (("request_body", attempt.request.body), ("response_body", answer)):
        if body is not None:
            try:
                row[name] = body.decode()
            except UnicodeDecodeError:
                row[name] = body.decode(errors="replace")
                lossy = True
    row["response_headers_json"] = _json(attempt.exchange.headers)
    if completion is not None:
        row["text"] = completion.text
        row["reasoning"] = completion.reasoning
        row["tool_calls_json"] = orjson.dumps(completion.tool_calls).decode()
        lossy |= not REPLACED.isdisjoint(completion.deviations)
    row["text_lossy"] = lossy
    return row


def _json(headers: tuple[tuple[str, str], ...]) -> str:
    try:
        return orjson.dumps(headers).decode()
    except orjson.JSONEncodeError:
        return json.dumps(headers)


def real(value: float | None) -> float | str | None:
    """A fraction as a row holds it."""
    return value if value is None or isfinite(value) else str(value)


def to_line(row: JsonObject) -> bytes:
    """A row as a line of JSON; ``text_lossy`` says whether a character was replaced that UTF-8 cannot hold.

    A secret that an answer spelt out event by event is whole only here, and is taken out here.
    Errors: TypeError for a value that no column holds, such as an integer beyond 64 bits.
    """
    row.setdefault("text_lossy", False)
    try:
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        clean = {name: _storable(value) for name, value in row.items()}
        clean["text_lossy"] = row["text_lossy"] or clean != row
        line = orjson.dumps(clean, option=orjson.OPT_APPEND_NEWLINE)
    among = hidden.noted()
    return line if among is None else among.remove(line)


def _storable(value: Any) -> Any:
    """Lone surrogates (legal in JSON escapes) become U+FFFD."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (list, tuple)):
        return type(value)(_storable(part) for part in value)
    return value
