"""The journal: nothing acknowledged is lost, nothing secret is kept, everything reads back as it was."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from full_disk import files_end_at
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.exchange import Exchange, Failure, Read, WireMarks
from harness.record.folder import RunFolder, create
from harness.record.journal import Journal, entries, read_attempts, sessions
from harness.record.line import from_line, to_line
from harness.secrets.redaction import redact
from harness.types import Attempt, Job, Request

KEY = "sekret-0123456789-abcdef"

SIMPLE = Attempt(
    job=Job("quality.x/p/m/s/0", "p/m", "quality", "quality.x", "x", "s"),
    number=0,
    request=Request("/chat/completions", b'{"model":"m"}', stream=False, workload_sha256="00"),
    exchange=Exchange(
        marks=WireMarks(send0_ns=5, hdr_ns=9),
        status=200,
        headers=(("content-type", "application/json"),),
        reads=(Read(9, b'{"a":'), Read(12, b"1}")),
        clock="kernel",
        reused=True,
    ),
    sched_ns=1,
    admit_ns=2,
    in_flight=1,
)

texts = st.text(max_size=20)
ints = st.integers(min_value=-(2**62), max_value=2**62)
marks = st.none() | ints
nasty = st.binary(max_size=40) | st.sampled_from(
    [b"", b"\x00", b"\n", b"\r\n", b"\xff\xfe", b"\xed\xa0\x80", "é\u2028".encode(), b'"\\', b"\xf0\x9f"]
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(["reset", "throttled", "bad_sse"]),
    detail=texts,
    status=st.none() | st.integers(100, 599),
    retry_after_s=st.none() | st.floats(allow_nan=False),
)
attempts = st.builds(
    Attempt,
    job=st.builds(
        Job,
        id=texts,
        endpoint=texts,
        kind=st.sampled_from(["quality", "tools", "probe", "load"]),
        stage=texts,
        task=texts,
        sample=texts,
        repeat=st.integers(0, 9),
        phase=st.sampled_from(["warmup", "measure", "cooldown"]),
        turn=st.integers(0, 3),
        due_ns=st.none() | ints,
        give_up_s=st.none() | st.floats(allow_nan=False),
        input_tokens=st.none() | st.integers(0, 9),
        output_tokens=st.none() | st.integers(0, 9),
    ),
    number=st.integers(0, 9),
    request=st.builds(
        Request,
        path=texts,
        body=st.none() | nasty,
        stream=st.booleans(),
        workload_sha256=texts,
        method=st.sampled_from(["GET", "POST"]),
        headers=st.dictionaries(texts, texts, max_size=3),
        auth=st.sampled_from(["provider", "wrong", "none"]),
    ),
    exchange=st.builds(
        Exchange,
        marks=st.builds(WireMarks, *[marks] * 7),
        status=st.none() | st.integers(100, 599),
        headers=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
        reads=st.lists(st.builds(Read, ints, nasty), max_size=5).map(tuple),
        clock=st.sampled_from(["kernel", "user", "mixed"]),
        reused=st.booleans(),
        failure=st.none() | failures,
        coalesced_reads=st.integers(0, 9),
        lag_max_ns=marks,
        tls_version=st.none() | texts,
        remote=st.none() | texts,
        cached=st.booleans(),
    ),
    sched_ns=ints,
    admit_ns=ints,
    in_flight=st.integers(0, 9),
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """An empty run folder."""
    return create(tmp_path, "journal")


def numbered(number: int) -> Attempt:
    """The simple attempt with another number."""
    return replace(SIMPLE, number=number)


@given(attempts)
@settings(deadline=None, max_examples=200)
def test_a_line_reads_back_as_the_same_attempt(attempt: Attempt) -> None:
    """Whatever bytes a server sends, the record read back equals the one written, and it is one line."""
    line = to_line(attempt)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert from_line(line) == attempt


WRITTEN_BEFORE = (
    b'{"v":1,"type":"attempt","job":{"id":"a","endpoint":"p/m","kind":"load","stage":"s","task":"t","sample":"n",'
    b'"repeat":0,"phase":"measure"},"number":1,"sched_ns":1,"admit_ns":2,"in_flight":1,"request":{"path":"/x",'
    b'"method":"POST","stream":true,"workload_sha256":"00","headers":{},"auth":"provider","body":"\xc3\xa9"},'
    b'"exchange":{"marks":{"send0_ns":5},"status":200,"headers":[["x","\\ud800"]],"clock":"kernel","reused":true,'
    b'"failure":{"kind":"reset","detail":"d","status":null,"retry_after_s":Infinity},"coalesced_reads":0,'
    b'"lag_max_ns":null,"tls_version":null,"remote":null,"read_steps_ns":[9,3],"read_bytes":[1,2],'
    b'"body":{"base64":"YWL/"}}}\n'
)


def test_a_line_written_before_reads_back() -> None:
    """Lines without the fields of loads, with what only ``json`` reads, mean what they meant."""
    attempt = from_line(WRITTEN_BEFORE)
    assert attempt.job == Job("a", "p/m", "load", "s", "t", "n")
    assert attempt.request.body == "é".encode()
    assert attempt.exchange.headers == (("x", "\ud800"),)
    assert attempt.exchange.failure == Failure("reset", "d", None, float("inf"))
    assert attempt.exchange.reads == (Read(9, b"a"), Read(12, b"b\xff"))
    assert from_line(to_line(attempt)) == attempt


def test_only_plans_that_are_there_are_written() -> None:
    """A job without a plan or turns has the same line as ever; what it has stands in it by name."""
    assert set(json.loads(to_line(SIMPLE))["job"]) == {
        *("id", "endpoint", "kind", "stage", "task", "sample", "repeat", "phase")
    }
    planned = replace(SIMPLE, job=replace(SIMPLE.job, turn=2, due_ns=0, input_tokens=7))
    assert {"turn": 2, "due_ns": 0, "input_tokens": 7}.items() <= json.loads(to_line(planned))["job"].items()


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"v":3,"type":"attempt"}', b"\xff", b'{"v":1,"type":"other"}'])
def test_a_line_of_something_else_is_refused(line: bytes) -> None:
    """A line that is no attempt raises StoreError, never anything else."""
    with pytest.raises(StoreError):
        from_line(line)


def test_attempts_come_back_in_order_with_their_session(run: RunFolder) -> None:
    """Each opening is a session of its own and owns the attempts after it; shards are read one after another."""
    with Journal(run) as journal:
        journal.append(numbered(0))
    with Journal(run) as journal:
        journal.append(numbered(1))
    with Journal(run, shard=1) as journal:
        journal.append(numbered(2))
    found = [(session.shard, session.session, attempt.number) for session, attempt in entries(run)]
    assert found == [(0, 1, 0), (0, 2, 1), (1, 1, 2)]
    assert [(session.shard, session.session, session.pid) for session in sessions(run)] == [
        (0, 1, os.getpid()),
        (0, 2, os.getpid()),
        (1, 1, os.getpid()),
    ]


@pytest.mark.parametrize("tail", [b"{", b'{"v":1,"type":"attempt"', b"\x00" * 100_000])
def test_a_torn_tail_is_passed_over_and_cut_off(run: RunFolder, tail: bytes) -> None:
    """What a cut-short write left behind is ignored by readers and gone after the next opening."""
    with Journal(run) as journal:
        journal.append(numbered(0))
    with run.journal_path(0).open("ab") as file:
        file.write(tail)
    assert [attempt.number for attempt in read_attempts(run)] == [0]
    with Journal(run) as journal:
        journal.append(numbered(1))
    assert [attempt.number for attempt in read_attempts(run)] == [0, 1]


def test_a_damaged_line_is_named(run: RunFolder) -> None:
    """A bad line that is not the last is no torn tail: the error says in which file and line it is."""
    with Journal(run) as journal:
        journal.append(numbered(0))
    with run.journal_path(0).open("ab") as file:
        file.write(b"rubbish\n" + to_line(numbered(1)))
    with pytest.raises(StoreError, match=r"journal-0\.jsonl:3: "):
        list(read_attempts(run))


def test_a_second_writer_is_refused(run: RunFolder) -> None:
    """A journal has one writer; another process is told so and the first goes on."""
    with Journal(run) as journal:
        code = (
            f"from harness.record.journal import *; Journal(RunFolder(__import__('pathlib').Path({str(run.root)!r})))"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert other.returncode != 0
        assert "is being written by another process" in other.stderr
        journal.append(numbered(0))
    assert len(list(read_attempts(run))) == 1


def test_close_twice_is_harmless(run: RunFolder) -> None:
    """Closing again does nothing."""
    journal = Journal(run)
    journal.close()
    journal.close()


_APPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
from harness.record.folder import RunFolder
from harness.record.journal import Journal
from harness.record.line import from_line
attempt = from_line(sys.stdin.buffer.readline())
start = int(sys.argv[2])
with Journal(RunFolder(Path(sys.argv[1]))) as journal:
    for number in range(start, start + 100_000):
        journal.append(replace(attempt, number=number))
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def test_kill_9_loses_no_acknowledged_line(run: RunFolder) -> None:
    """A writer killed in the middle of its work, again and again, has lost nothing that append returned from."""
    acknowledged: list[int] = []
    for kill in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", _APPENDER, str(run.root), str(kill * 1_000_000)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(to_line(SIMPLE))
            child.stdin.close()
            assert select.select([child.stdout], [], [], 60)[0], "the writer did not start"
            time.sleep(0.02 + 0.03 * kill)
        finally:
            child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout.read().split(b"\n")[:-1]]
        child.stdout.close()
        child.wait(timeout=60)
    stored = [attempt.number for attempt in read_attempts(run)]
    assert len(acknowledged) > 4
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) <= len(acknowledged) + 4


def test_a_full_disk_is_one_line_and_costs_nothing_acknowledged(run: RunFolder) -> None:
    """When the file may grow no more, append raises one clear line, and every line before it can be read."""
    journal = Journal(run)
    acknowledged = 0
    with files_end_at(4000), pytest.raises(StoreError) as caught:  # noqa: PT012 - which append fails is the disk's choice
        for number in range(100):
            journal.append(numbered(number))
            acknowledged += 1
    assert "no space left" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run.journal_path(0).read_bytes().endswith(b"\n")
    journal.append(numbered(1000))
    journal.close()
    assert 0 < acknowledged < 100
    assert [attempt.number for attempt in read_attempts(run)] == [*range(acknowledged), 1000]


def test_a_key_is_never_stored(run: RunFolder) -> None:
    """A key echoed in a header, a body, an error or a request is replaced, even when reads cut it in two."""
    half = len(KEY) // 2
    attempt = replace(
        SIMPLE,
        request=replace(SIMPLE.request, body=KEY.encode(), headers={"X-Echo": KEY, "Authorization": "Bearer zzz"}),
        exchange=replace(
            SIMPLE.exchange,
            headers=(("set-cookie", "session=1"), ("x-key", f"<{KEY}>"), ("x-other", "sk-" + "a" * 30), ("date", "d")),
            reads=(
                Read(1, b"a" + KEY[:half].encode()),
                Read(2, KEY[half:].encode() + b"b" + KEY.encode()),
                Read(3, b"c"),
            ),
            failure=Failure("auth", f"wrong key {KEY}", 401),
        ),
    )
    with Journal(run, secrets=[KEY]) as journal:
        journal.append(attempt)
    raw = run.journal_path(0).read_bytes()
    assert KEY.encode() not in raw
    assert b"zzz" not in raw
    (stored,) = read_attempts(run)
    assert stored.exchange.headers == (
        ("set-cookie", "[redacted]"),
        ("x-key", "<[redacted]>"),
        ("x-other", "[redacted]"),
        ("date", "d"),
    )
    assert stored.exchange.reads == (Read(1, b"a[redacted]"), Read(2, b"b[redacted]"), Read(3, b"c"))
    assert stored.exchange.failure == Failure("auth", "wrong key [redacted]", 401)
    assert stored.request.body == b"[redacted]"


def test_nothing_is_changed_where_nothing_is_secret() -> None:
    """Placeholders of local servers are not keys, rate-limit headers are not credentials: the record stays itself."""
    headers = (("x-ratelimit-remaining-tokens", "10000"), ("x-request-id", "req_0123456789abcdef0123"))
    attempt = replace(SIMPLE, exchange=replace(SIMPLE.exchange, headers=headers, reads=(Read(1, b"none"),)))
    assert redact(attempt, ["none", "", "another-long-secret"]) is attempt


@given(st.lists(st.sampled_from([b"sekret", b"-0123456789", b"-abcdef", b"x", b"", KEY.encode()]), max_size=8))
def test_redaction_equals_replacing_in_the_whole_body(pieces: list[bytes]) -> None:
    """However a body is cut into reads, what is stored is the joined body with the key replaced, read by read."""
    reads = tuple(Read(at, piece) for at, piece in enumerate(pieces))
    attempt = replace(SIMPLE, exchange=replace(SIMPLE.exchange, reads=reads))
    stored = redact(attempt, [KEY]).exchange
    assert stored.body == b"".join(pieces).replace(KEY.encode(), b"[redacted]")
    assert [read.at_ns for read in stored.reads] == list(range(len(pieces)))
