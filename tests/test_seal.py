"""Sealing: what is in the Parquet follows from the journal alone, and no text a server sends can stop it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from full_disk import files_end_at
from published import MS, manifest

from harness.errors import StoreError
from harness.exchange import Exchange, Failure, Read, WireMarks
from harness.record.folder import RunFolder, create
from harness.record.journal import Journal, sessions
from harness.store import query
from harness.store.columns import SERVER_VALUES
from harness.store.index import publish
from harness.store.seal import Sealing, seal
from harness.types import Attempt, Job, Request


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
    assert text["response_body"] is None  # a good answer under load: the journal has it
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
    always = ("attempts", "texts", "scores", "verdicts")
    assert [pq.read_table(run.parquet_path(table)).num_rows for table in always] == [0, 0, 0, 0]
    assert not run.parquet_path("server_samples").exists()
    assert not run.parquet_path("client_samples").exists()
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
    unsaid = {"fault": None, "details_json": None, "cluster": None}
    assert score == row | unsaid | {"run_id": run.id, "job_id": "j", "answer": "\ufffd", "text_lossy": True}
    (verdict,) = pq.read_table(run.parquet_path("verdicts")).to_pylist()
    unstated = {"agree": None, "samples": None}  # by the harness that wrote this line
    assert verdict == found | {"run_id": run.id, "text_lossy": False} | unstated


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


# --- nothing is bent on the way --------------------------------------------------------------------------


def test_numbers_survive(run: RunFolder) -> None:
    """64-bit times, fractions to the last bit, infinities and what was asked of the job come out as they went in."""
    largest = 2**63 - 1
    job = Job("a", "p/m", "load", "s", "t", "a", turn=3, give_up_s=0.1 + 0.2, input_tokens=5, output_tokens=7)
    reset = Failure("reset", "r", None, float("inf"))
    attempt = replace(streamed("a", STREAM[:2], lag_max_ns=largest, failure=reset), job=job)
    (row,), _ = sealed(run, replace(attempt, sched_ns=-largest - 1))
    assert (row["lag_max_ns"], row["sched_ns"], row["retry_after_s"]) == (largest, -largest - 1, float("inf"))
    assert (row["turn"], row["give_up_s"]) == (3, 0.1 + 0.2)
    assert (row["input_tokens_asked"], row["output_tokens_asked"]) == (5, 7)


def test_values_of_scores_survive(run: RunFolder) -> None:
    """A score keeps its value bit by bit, one that is no number too."""
    sealed(run)
    named = {"endpoint": "p/m", "task": "t", "sample": "s", "repeat": 0, "scorer": "x", "version": 1}
    values = [5e-324, 1.7976931348623157e308, -0.0, 1 / 3, float("nan"), float("inf"), 1]
    rows = [named | {"job": str(place), "value": value} for place, value in enumerate(values)]
    run.scores_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seal(run)
    stored = [row["value"] for row in pq.read_table(run.parquet_path("scores")).to_pylist()]
    assert list(map(repr, stored)) == [repr(float(value)) for value in values]


@pytest.mark.parametrize("letter", ["\x00", "\ufffe", "\u2028", "\U0010ffff", "\x1b", "'", '"', "\\"])
def test_every_character_survives(run: RunFolder, letter: str) -> None:
    """Whatever JSON or SQL makes of a character, it stands in the table, in lists and nested texts too."""
    headers = (("content-type", letter),)
    _, (text,) = sealed(run, answered(completion(f"a{letter}b"), headers=headers))
    assert text["text"] == f"a{letter}b"
    assert json.loads(text["response_headers_json"]) == [["content-type", letter]]


def test_a_very_long_text_survives(run: RunFolder) -> None:
    """A body longer than what DuckDB takes for one JSON object unless told otherwise is sealed whole."""
    long = "\x01é" * 3_000_000
    _, texts = sealed(run, answered(completion(long), job="a"), answered(completion("short"), job="b"))
    assert texts[0]["text"] == long
    assert texts[1]["text"] == "short"


# --- judging and sealing in one pass ---------------------------------------------------------------------


def test_a_judge_looks_on(run: RunFolder) -> None:
    """Attempts are handed out once with their outcomes, and what is judged of them meanwhile is sealed with them."""
    with Journal(run) as journal:
        for name in "abc":
            journal.append(streamed(name))
    with Sealing(run) as sealing:
        seen = [(attempt.job.id, outcome.ok) for attempt, outcome in sealing.outcomes()]
        row = {"job": "a", "endpoint": "p/m", "task": "t", "sample": "s", "repeat": 0, "value": 1.0, "scorer": "x"}
        run.scores_path.write_text(json.dumps(row | {"version": 1}) + "\n")
        assert not run.parquet_path("attempts").exists()
    assert seen == [("a", True), ("b", True), ("c", True)]
    assert pq.read_table(run.parquet_path("attempts")).num_rows == 3
    assert pq.read_table(run.parquet_path("scores")).num_rows == 1


@pytest.mark.parametrize("seen", [0, 1, 3])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_judge_that_fails_costs_no_record(run: RunFolder, seen: int, error: type[BaseException]) -> None:
    """Wherever judging breaks off, all attempts are sealed and the error goes on."""
    with Journal(run) as journal:
        for name in "abc":
            journal.append(streamed(name))
    with pytest.raises(error), Sealing(run) as sealing:  # noqa: PT012 - where it fails is the case
        outcomes = sealing.outcomes()
        for _ in range(seen):
            next(outcomes)
        raise error
    assert pq.read_table(run.parquet_path("attempts")).num_rows == 3
    assert not list(run.root.glob(".*.tmp"))


def test_a_damaged_journal_seals_nothing(run: RunFolder) -> None:
    """The error names file and line, once; what was sealed before stays and nothing temporary is left."""
    sealed(run, streamed("a"))
    with run.journal_path(0).open("ab") as file:
        file.write(b"rubbish\n")
    with pytest.raises(StoreError, match=r"journal-0\.jsonl:3: "), Sealing(run) as sealing:
        list(sealing.outcomes())
    assert pq.read_table(run.parquet_path("attempts")).num_rows == 1
    assert not list(run.root.glob(".*.tmp"))


def test_what_a_killed_sealing_left_is_cleared(run: RunFolder) -> None:
    """Rows of a process that is no more are removed, those of a living one are not ours."""
    dead, living = run.root / ".texts.rows.999999999.tmp", run.root / f".texts.rows.{os.getppid()}.tmp"
    for path in (dead, living):
        path.write_bytes(b"x")
    seal(run)
    assert (dead.exists(), living.exists()) == (False, True)


# --- samples ---------------------------------------------------------------------------------------------


def test_samples_are_sealed(run: RunFolder) -> None:
    """What the server and this client told becomes rows; half a line is passed over, what is absent is NULL."""
    sealed(run, streamed("a"))
    (session,) = sessions(run)
    good = {"endpoint": "p/m", "at_ns": session.mono_ns + 2_000_000, "values": {"waiting": 3, "kv_usage": 0.1, "x": 1}}
    run.server_path.write_text(json.dumps(good) + '\n{"endpoint": "p/m", "at_\n' + json.dumps(good))
    vitals = {"at_ns": 2**62, "window_ns": 1, "lag_max_ns": 2, "lag_sum_ns": 3, "lag_n": 4, "cpu_ns": 5}
    run.vitals_path(0).write_text(json.dumps(vitals) + "\n[]\n")
    run.vitals_path(11).write_text(json.dumps(vitals | {"lag_n": 6}) + "\n" + json.dumps(vitals)[:20])
    seal(run)
    (server,) = pq.read_table(run.parquet_path("server_samples")).to_pylist()
    at = (session.wall + timedelta(milliseconds=2)).replace(tzinfo=None)
    told = dict.fromkeys(SERVER_VALUES) | {"waiting": 3.0, "kv_usage": 0.1}
    assert server == {"run_id": run.id, "endpoint": "p/m", "at_ns": good["at_ns"], "at": at} | told
    client = pq.read_table(run.parquet_path("client_samples")).to_pylist()
    named = {"run_id": run.id, "shard": 0}
    assert client == [named | vitals, named | vitals | {"shard": 11, "lag_n": 6}]


def test_sealing_needs_no_heavy_package(run: RunFolder) -> None:
    """Neither Arrow nor pandas is loaded: their import would be most of the time of a small run."""
    sealed(run, streamed("a"))
    code = """
import sys
from pathlib import Path
from harness.record.folder import RunFolder
from harness.store.seal import seal
seal(RunFolder(Path(sys.argv[1])))
print({"pandas", "pyarrow", "numpy"} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.root)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "set()\n", done.stderr
