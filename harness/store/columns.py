"""The columns of the sealed files by their types in DuckDB; names, order and meanings are those of the schema."""

from __future__ import annotations

from collections.abc import Mapping

Columns = Mapping[str, str]
"""Name -> DuckDB type, in the order of the table."""

MARKS = (
    *("dns_ns", "conn_ns", "tls_ns", "send0_ns", "send1_ns", "hdr_ns", "eof_ns"),
    *("ev1_ns", "tok1_ns", "vis1_ns", "tool1_ns", "tokn_ns", "fin_ns", "done_ns"),
)

_TEXT, _INT, _LONG, _REAL, _FLAG = "VARCHAR", "INTEGER", "BIGINT", "DOUBLE", "BOOLEAN"

_JOB = {
    "endpoint": _TEXT,
    "kind": _TEXT,
    "stage": _TEXT,
    "task": _TEXT,
    "sample": _TEXT,
    "repeat": _INT,
    "phase": _TEXT,
    "turn": _INT,
    "give_up_s": _REAL,
    "input_tokens_asked": _INT,
    "output_tokens_asked": _INT,
}

ATTEMPTS: Columns = {
    "run_id": _TEXT,
    "job_id": _TEXT,
    "number": _INT,
    **_JOB,
    "shard": _INT,
    "session": _INT,
    "sched_ns": _LONG,
    "admit_ns": _LONG,
    **dict.fromkeys(MARKS, _LONG),
    "started_at": "TIMESTAMP",
    "status": _INT,
    "failure_kind": _TEXT,
    "failure_detail": _TEXT,
    "retry_after_s": _REAL,
    "api": _TEXT,
    "stream": _FLAG,
    "workload_sha256": _TEXT,
    "clock": _TEXT,
    "reused": _FLAG,
    "coalesced_reads": _INT,
    "n_reads": _INT,
    "lag_max_ns": _LONG,
    "in_flight": _INT,
    "cached": _FLAG,
    "finish_reason": _TEXT,
    "prompt_tokens": _LONG,
    "completion_tokens": _LONG,
    "cached_tokens": _LONG,
    "reasoning_tokens": _LONG,
    "response_model": _TEXT,
    "system_fingerprint": _TEXT,
    "backend": _TEXT,
    "server_headers": "VARCHAR[]",
    "server_times": "MAP(VARCHAR, DOUBLE)",
    "tool_calls": _INT,
    "prompt_chars": _INT,
    "text_chars": _INT,
    "vectors": _INT,
    "dimensions": _INT,
    "chunk_delta_us": "INTEGER[]",
    "chunk_events": "USMALLINT[]",
    "deviations": "VARCHAR[]",
    "contract_faults": "VARCHAR[]",
    "cost_usd": _REAL,
    "cost_source": _TEXT,
    "text_lossy": _FLAG,
}

TEXTS: Columns = {
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

SCORES: Columns = {
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
    "fault": _TEXT,
    "details_json": _TEXT,
    "cluster": _TEXT,
    "text_lossy": _FLAG,
}

JUDGEMENTS: Columns = {
    "run_id": _TEXT,
    "job_id": _TEXT,
    "judge": _TEXT,
    "task": _TEXT,
    "sample": _TEXT,
    "repeat": _INT,
    "turn": _INT,
    "endpoint": _TEXT,
    "baseline": _TEXT,
    "endpoint_first": _FLAG,
    "verdict": _TEXT,
    "value": _REAL,
    "fault": _TEXT,
    "reason": _TEXT,
    "text_lossy": _FLAG,
}

VERDICTS: Columns = {
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
    "evidence": "VARCHAR[]",
    "agree": _INT,
    "samples": _INT,
    "text_lossy": _FLAG,
}

SERVER_VALUES = (
    *("waiting", "running", "kv_usage", "ttft_s_sum", "ttft_s_count", "itl_s_sum", "itl_s_count"),
    *("tpot_s_sum", "tpot_s_count", "e2e_s_sum", "e2e_s_count", "queue_s_sum", "queue_s_count"),
    *("prompt_tokens_total", "generation_tokens_total", "prefix_hits_total", "prefix_queries_total"),
    "preemptions_total",
)
"""What a server may tell of itself, each under one name whatever the server calls it."""

SERVER_SAMPLES: Columns = {
    "run_id": _TEXT,
    "endpoint": _TEXT,
    "at_ns": _LONG,
    "at": "TIMESTAMP",
    **dict.fromkeys(SERVER_VALUES, _REAL),
}

CLIENT_COUNTS = ("at_ns", "window_ns", "lag_max_ns", "lag_sum_ns", "lag_n", "cpu_ns")

CLIENT_SAMPLES: Columns = {
    "run_id": _TEXT,
    "shard": _INT,
    **dict.fromkeys(CLIENT_COUNTS, _LONG),
    "lag_n": _INT,
}

SEALED: Mapping[str, Columns] = {
    "attempts": ATTEMPTS,
    "texts": TEXTS,
    "scores": SCORES,
    "judgements": JUDGEMENTS,
    "verdicts": VERDICTS,
    "server_samples": SERVER_SAMPLES,
    "client_samples": CLIENT_SAMPLES,
}
"""Table name -> columns of its Parquet file; judgements and samples have one only where there are any."""
