"""Sealing: what is in the Parquet follows from the journal alone, and no text a server sends can stop it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from full_disk import files_end_at
from published import MS, manifest

from harness.errors import StoreError
from harness.folder import RunFolder, create
from harness.journal import Journal, sessions
from harness.store import query
from harness.store.columns import SEALED
from harness.store.index import publish
from harness.store.seal import seal
from harness.types import Attempt, Exchange, Failure, Job, Read, Request, WireMarks


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder with a manifest."""
    run = create(tmp_path, "seal")
    run.write_manifest(manifest(run))
    return run


def event(delta: dict[str, Any] | None = None, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One chunk of a streamed answer."""
    chunk: dict[str, Any] = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "vendor-m-1"}
    chunk["choices"] = [] if usage else [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    if usage:
        chunk["usage"] = usage
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE = {"prompt_tokens": 1000, "completion_tokens": 5, "total_tokens": 1005}
STREAM = (
    Read(100 * MS, event({"role": "assistant", "content": ""})),
    Read(110 * MS, event({"content": "Hel"})),
    Read(130 * MS + 400, event({"content": "lo"}) + event({"content": "!"})),
    Read(140 * MS, event(finish="stop") + event(usage=USAGE) + b"data: [DONE]\n\n"),
)


def streamed(job: str = "j1", reads: tuple[Read, ...] = STREAM, **changes: Any) -> Attempt:
    """A streamed load attempt sent at 10 ms."""
    exchange = Exchange(
        marks=WireMarks(send0_ns=10 * MS, send1_ns=10 * MS, hdr_ns=100 * MS, eof_ns=140 * MS),
        status=200,
        headers=(("content-type", "text/event-stream"),),
        reads=reads,
        clock="kernel",
        reused=False,
        coalesced_reads=1,
        lag_max_ns=500,
    )
    return Attempt(
        job=Job(job, "p/m", "load", "load.chat@c1", "chat", job),
        number=0,
        request=Request("/chat/completions", b'{"model":"vendor-m"}', stream=True, workload_sha256="ab"),
        exchange=replace(exchange, **changes),
        sched_ns=0,
        admit_ns=9 * MS,
        in_flight=2,
    )


def answered(body: bytes, *, job: str = "j1", path: str = "/chat/completions", **changes: Any) -> Attempt:
    """An attempt whose answer was not streamed."""
    headers = (("content-type", "application/json"),)
    attempt = streamed(job, (Read(100 * MS, body),) if body else (), **({"headers": headers} | changes))
    return replace(attempt, request=replace(attempt.request, stream=False, path=path))


def completion(content: str) -> bytes:
    """A whole answer, with escapes for what UTF-8 cannot hold."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    ).encode()


def sealed(run: RunFolder, *attempts: Attempt) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Journal and seal these; the rows of attempts and of texts."""
    with Journal(run) as journal:
        for attempt in attempts:
            journal.append(attempt)
    seal(run)
    rows = pq.read_table(run.parquet_path("attempts")).to_pylist()
    return rows, pq.read_table(run.parquet_path("texts")).to_pylist()


def test_a_streamed_answer_is_understood(run: RunFolder) -> None:
    """Marks, chunk gaps, usage and cost of one answer, worked out by hand."""
    (row,), (text,) = sealed(run, streamed())
    expected = {
        "run_id": run.id,
        "job_id": "j1",
        "endpoint": "p/m",
        "session": 1,
        "send0_ns": 10 * MS,
        "dns_ns": None,
        "tok1_ns": 110 * MS,
        "tokn_ns": 130 * MS + 400,
        "fin_ns": 140 * MS,
        "done_ns": 140 * MS,
        "failure_kind": None,
        "finish_reason": "stop",
        "prompt_tokens": 1000,
        "completion_tokens": 5,
        "cached_tokens": None,
        "response_model": "vendor-m-1",
        "tool_calls": 0,
        "text_chars": 6,
        "chunk_delta_us": [100_000, 20_000],
        "chunk_events": [1, 2],
        "n_reads": 4,
        "coalesced_reads": 1,
        "in_flight": 2,
        "text_lossy": False,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["cost_usd"] == pytest.approx((1000 * 1.0 + 5 * 2.0) / 1e6)
    (session,) = sessions(run)
    since_anchor = timedelta(microseconds=(10 * MS - session.mono_ns) // 1000)
    assert row["started_at"] == (session.wall + since_anchor).replace(tzinfo=None)
    assert text["text"] == "Hello!"
    assert text["response_body"] == b"".join(read.data for read in STREAM).decode()
    assert text["request_body"] == '{"model":"vendor-m"}'
    assert json.loads(text["response_headers_json"]) == [["content-type", "text/event-stream"]]


def test_failures_keep_their_facts(run: RunFolder) -> None:
    """A refusal, a reset and a request that was never sent are rows with a kind and without an answer."""
    throttled = answered(b'{"error":{"message":"slow"}}', job="a", status=429, headers=(("retry-after", "3"),))
    reset = streamed("b", STREAM[:2], failure=Failure("reset", "connection reset"))
    unsent = answered(b"", job="c", status=None, marks=WireMarks(), failure=Failure("connect", "refused"))
    rows, texts = sealed(run, throttled, reset, unsent)
    assert [row["failure_kind"] for row in rows] == ["throttled", "reset", "connect"]
    assert [row["retry_after_s"] for row in rows] == [3.0, None, None]
    assert [row["tok1_ns"] for row in rows] == [None, 110 * MS, None]
    assert [row["cost_usd"] for row in rows] == [None, None, None]
    assert [row["chunk_delta_us"] for row in rows] == [None, [100_000], None]
    assert rows[2]["started_at"] < rows[1]["started_at"]  # of the admission, 1 ms before the send
    assert [text["response_body"] for text in texts][2] == ""


def test_other_paths_are_not_read_as_chat(run: RunFolder) -> None:
    """A model list has no completion and is no failure; a refusal of it is one."""
    fine = answered(b'{"data":[]}', job="a", path="/models")
    gone = answered(b'{"error":{"message":"x"}}', job="b", path="/models", status=404)
    rows, _ = sealed(run, fine, gone)
    assert [row["failure_kind"] for row in rows] == [None, "http_4xx"]
    assert [row["text_chars"] for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("content", "stored", "lossy"),
    [
        ("a\ud800b", "a\ufffdb", True),
        ("a\x00b", "a\x00b", False),
        ("😀", "😀", False),
        ("\udfff\ud800", "\ufffd\ufffd", True),
    ],
)
def test_text_that_utf8_cannot_hold_is_flagged(run: RunFolder, content: str, stored: str, lossy: bool) -> None:
    """A lone surrogate is replaced and the row says so; NUL and all else survive up to the database."""
    _, (text,) = sealed(run, answered(completion(content)))
    assert (text["text"], text["text_lossy"]) == (stored, lossy)
    assert publish(run.root.parent.parent).problems == ()
    (row,) = query.rows(run.root.parent.parent, "select text, text_lossy from texts")
    assert (row["text"], row["text_lossy"]) == (stored, lossy)


def test_bytes_that_are_no_utf8_are_flagged(run: RunFolder) -> None:
    """The body is shown with replacements, the journal has it whole."""
    rows, texts = sealed(run, answered(b"\xff\xfe\x00", status=500))
    assert texts[0]["response_body"] == "\ufffd\ufffd\x00"
    assert texts[0]["text_lossy"]
    assert rows[0]["failure_kind"] == "http_5xx"


def test_judgements_are_sealed(run: RunFolder) -> None:
    """Scores and verdicts keep their fields; a run without them has empty files."""
    sealed(run)
    assert [pq.read_table(run.parquet_path(table)).num_rows for table in SEALED] == [0, 0, 0, 0]
    row = {"job": "j", "endpoint": "p/m", "task": "t", "sample": "s", "repeat": 0, "value": 1, "answer": "\ud800"}
    row |= {"explanation": "e", "scorer": "exact", "version": 2}
    run.scores_path.write_text(json.dumps(row) + "\n")
    found = {
        "endpoint": "p/m",
        "probe": "q",
        "rev": 1,
        "verdict": "partial",
        "reason": "r",
        "expected": "",
        "actual": "",
    }
    found |= {"evidence": ["j1", "j2"], "surface": "chat", "severity": "minor", "title": "t"}
    run.verdicts_path.write_text(json.dumps(found) + "\n")
    seal(run)
    (score,) = pq.read_table(run.parquet_path("scores")).to_pylist()
    del row["job"]
    assert score == row | {"run_id": run.id, "job_id": "j", "answer": "\ufffd", "text_lossy": True}
    (verdict,) = pq.read_table(run.parquet_path("verdicts")).to_pylist()
    assert verdict == found | {"run_id": run.id, "text_lossy": False}


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"job": "j", "value": "high"}'])
def test_a_bad_judgement_is_one_line(run: RunFolder, line: bytes) -> None:
    """A damaged scores.jsonl names itself and raises nothing but StoreError."""
    run.scores_path.write_bytes(line + b"\n")
    with pytest.raises(StoreError, match="scores"):
        seal(run)


def test_sealing_again_replaces(run: RunFolder) -> None:
    """A second sitting adds its attempts and keeps the first's; nothing temporary is left."""
    sealed(run, streamed("a"))
    rows, _ = sealed(run, streamed("b"))
    assert [(row["job_id"], row["session"]) for row in rows] == [("a", 1), ("b", 2)]
    assert not list(run.root.glob(".*.tmp"))


def test_a_full_disk_leaves_what_was_sealed(run: RunFolder) -> None:
    """When the new files do not fit, the error is one line and the old ones stay whole."""
    sealed(run, streamed("a"))
    with Journal(run) as journal:
        journal.append(streamed("b"))
    with files_end_at(3000), pytest.raises(StoreError, match="no space left"):
        seal(run)
    assert pq.read_table(run.parquet_path("attempts")).num_rows == 1
    assert not list(run.root.glob(".*.tmp"))
