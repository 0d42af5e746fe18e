"""The columns of the sealed files, as Parquet knows them; names and meanings are those of schema.sql."""

from __future__ import annotations

import pyarrow as pa

MARKS = (
    *("dns_ns", "conn_ns", "tls_ns", "send0_ns", "send1_ns", "hdr_ns", "eof_ns"),
    *("ev1_ns", "tok1_ns", "vis1_ns", "tool1_ns", "tokn_ns", "fin_ns", "done_ns"),
)

_TEXT, _INT, _LONG, _REAL, _FLAG = pa.string(), pa.int32(), pa.int64(), pa.float64(), pa.bool_()

_JOB = {
    "endpoint": _TEXT,
    "kind": _TEXT,
    "stage": _TEXT,
    "task": _TEXT,
    "sample": _TEXT,
    "repeat": _INT,
    "phase": _TEXT,
}

ATTEMPTS = pa.schema(
    {
        "run_id": _TEXT,
        "job_id": _TEXT,
        "number": _INT,
        **_JOB,
        "shard": _INT,
        "session": _INT,
        "sched_ns": _LONG,
        "admit_ns": _LONG,
        **dict.fromkeys(MARKS, _LONG),
        "started_at": pa.timestamp("us"),
        "status": _INT,
        "failure_kind": _TEXT,
        "failure_detail": _TEXT,
        "retry_after_s": _REAL,
        "stream": _FLAG,
        "workload_sha256": _TEXT,
        "clock": _TEXT,
        "reused": _FLAG,
        "coalesced_reads": _INT,
        "n_reads": _INT,
        "lag_max_ns": _LONG,
        "in_flight": _INT,
        "finish_reason": _TEXT,
        "prompt_tokens": _LONG,
        "completion_tokens": _LONG,
        "cached_tokens": _LONG,
        "reasoning_tokens": _LONG,
        "response_model": _TEXT,
        "system_fingerprint": _TEXT,
        "tool_calls": _INT,
        "text_chars": _INT,
        "chunk_delta_us": pa.list_(pa.int32()),
        "chunk_events": pa.list_(pa.uint16()),
        "deviations": pa.list_(_TEXT),
        "cost_usd": _REAL,
        "text_lossy": _FLAG,
    }
)

TEXTS = pa.schema(
    {
        "run_id": _TEXT,
        "job_id": _TEXT,
        "number": _INT,
        "request_body": _TEXT,
        "response_body": _TEXT,
        "text": _TEXT,
        "reasoning": _TEXT,
        "tool_calls_json": _TEXT,
        "response_headers_json": _TEXT,
        "text_lossy": _FLAG,
    }
)

SCORES = pa.schema(
    {
        "run_id": _TEXT,
        "job_id": _TEXT,
        "endpoint": _TEXT,
        "task": _TEXT,
        "sample": _TEXT,
        "repeat": _INT,
        "value": _REAL,
        "answer": _TEXT,
        "explanation": _TEXT,
        "scorer": _TEXT,
        "version": _INT,
        "text_lossy": _FLAG,
    }
)

VERDICTS = pa.schema(
    {
        "run_id": _TEXT,
        "endpoint": _TEXT,
        "probe": _TEXT,
        "rev": _INT,
        "surface": _TEXT,
        "severity": _TEXT,
        "title": _TEXT,
        "verdict": _TEXT,
        "reason": _TEXT,
        "expected": _TEXT,
        "actual": _TEXT,
        "evidence": pa.list_(_TEXT),
        "text_lossy": _FLAG,
    }
)

SEALED = {"attempts": ATTEMPTS, "texts": TEXTS, "scores": SCORES, "verdicts": VERDICTS}
"""Table name -> columns of its Parquet file."""
