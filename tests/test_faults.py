"""Everything that may befall a request or a run: each has its name, its one end, and leaves sums that agree."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agreeing import assert_agree, assert_whole, kind_of
from loopback import CHUNKED, LAST_CHUNK, Loopback, certificate, chunk, sized
from made import Watcher, catalog, endpoint, load, plan, sample, task

from harness.cli.carry import finish
from harness.engines import Running, start
from harness.errors import CannotMeasure, StoreError
from harness.provider import Deadlines, Endpoint, Serve
from harness.record.journal import read_attempts
from harness.run import sitting
from harness.run.admission import breaker
from harness.run.admission import rate_limits as limits
from harness.run.arrivals import Closed
from harness.run.conduct import Company
from harness.run.observers import wall
from harness.run.planning.plan import Plan
from harness.run.sitting import Sitting
from harness.run.tally import Budget
from harness.store.query import rows
from harness.types import Attempt
from harness.wire.understand import understand

SHORT = Deadlines(connect_s=5.0, first_byte_s=2.0, idle_s=2.0, total_s=5.0)
PATIENT = Deadlines(connect_s=30.0, first_byte_s=30.0, idle_s=30.0, total_s=60.0)
"""Where no deadline is meant: the machine may be busy."""
N = 2
"""Requests of the task, and of the load."""


@pytest.fixture(autouse=True, scope="module")
def _hurry() -> Iterator[None]:
    """The same decisions with waits a hundred times as short, and a bound that an endless answer soon reaches."""
    real = limits.retry_delay_s
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breaker, "COOL_S", 0.05)
        patch.setattr(limits, "MAX_WAIT_S", 0.02)
        patch.setattr(limits, "_FIRST_COOLDOWN_S", 0.01)
        patch.setattr("harness.run.planning.plan.retry_delay_s", lambda *of: None if real(*of) is None else 0.01)
        patch.setattr("harness.wire.connection.MAX_READS", 1000)
        yield


@pytest.fixture(scope="module")
def simulator() -> Iterator[Running]:
    """One server; each request tells it what shall befall it."""
    running = start(Serve("simulator", {"profile": "null"}))
    yield running
    running.stop()


def _run(ends: list[Endpoint], results: Path, n: int = N, **company: Any) -> Sitting:
    return sitting.start(_plan(ends, n), results=results, company=Company(Watcher(), **company))


def _plan(ends: list[Endpoint], n: int = N) -> Plan:
    return plan(_things(n), ends, concurrency=2)


def _things(n: int) -> list[Any]:
    return [
        task("sums", [sample(f"s{number}") for number in range(n)]),
        load("chat", Closed(2), n=n, text=lambda seed, index: f"Tell me of {index}."),
    ]


# --- what a server does ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A fault, and what must come of it."""

    sim: str
    """What the simulator is told."""
    kind: str | None
    """Failure kind of every attempt; None: it is answered all the same."""
    tries: int = 1
    """Of each request of a task; a load's is never repeated."""
    deviation: str | None = None
    """What an answer is marked with."""
    words: str = ""
    """In the failure's line."""
    deadlines: Deadlines = PATIENT
    ttft: bool | None = None
    """Whether the time of the first output of a load's answers is kept; None: it does not matter."""
    wait_s: float | None = None
    """What the server asked for."""
    also: frozenset[str] = field(default_factory=frozenset)
    """Kinds that are as right."""


QUICK = Deadlines(connect_s=30.0, first_byte_s=0.3, idle_s=0.3, total_s=60.0)
STALL = "stall_s=60"
SERVER: dict[str, Row] = {
    "429 with seconds": Row("fault=http_429,retry_after_s=7", "throttled", 6, wait_s=7.0),
    "429 with a date": Row("fault=http_429_date,retry_after_s=30", "throttled", 6, wait_s=30.0),
    "429 with thirty years": Row("fault=http_429_absurd", "throttled", 6, wait_s=1e9),
    "429 with nothing": Row("fault=http_429_bare", "throttled", 6),
    "500": Row("fault=http_500", "http_5xx", 3, words="The server had an error"),
    "503": Row("fault=overload_503", "overloaded", 3, wait_s=1.0),
    "529": Row("fault=http_529", "overloaded", 3, wait_s=1.0),
    "408": Row("fault=http_408", "http_4xx", 3, words="timed out"),
    "401": Row("fault=http_401", "auth", words="invalid_api_key"),
    "403": Row("fault=http_403", "auth", words="permission_denied"),
    "no such model": Row("fault=http_404", "http_4xx", words="model_not_found"),
    "an end before the answer": Row("fault=no_answer", "truncated", 3, also=frozenset({"reset"})),
    "an end inside it": Row("fault=cut", "truncated", 3, ttft=True),
    "a reset inside it": Row("fault=reset", "reset", 3, ttft=True),
    "silence": Row(f"fault=stall_before_headers,{STALL}", "timeout_first_byte", words="first_byte_s", deadlines=QUICK),
    "silence behind headers": Row(
        f"fault=stall_after_headers,{STALL}", "timeout_first_byte", words="although headers came", deadlines=QUICK
    ),
    "a stall": Row(f"fault=stall,{STALL}", "timeout_idle", words="idle_s", ttft=True, deadlines=Deadlines(idle_s=0.3)),
    "a byte now and then": Row(
        "fault=slow_loris,drip_ms=50", "timeout_total", words="total_s", deadlines=Deadlines(total_s=0.5)
    ),
    "comments": Row("mutants=sse_comments", None, ttft=True),
    "event fields": Row("mutants=sse_event_fields", None, ttft=True),
    "lines that end with CR": Row("mutants=sse_cr", None, ttft=True),
    "CR LF over two writes": Row("mutants=sse_crlf_split", None, ttft=True),
    "odd lines": Row("mutants=sse_odd_lines", None, ttft=True),
    "events cut anywhere": Row("mutants=sliced", None, ttft=True),
    "no last blank line": Row("mutants=no_last_blank", None, deviation="no_final_blank_line"),
    "separators that end no line": Row("mutants=line_separators", None, ttft=True),
    "no DONE": Row("mutants=no_done", None, deviation="no_done"),
    "a chunk behind DONE": Row("mutants=after_done", None, deviation="data_after_done"),
    "text behind DONE": Row("mutants=text_after_done", None, deviation="data_after_done"),
    "usage in every chunk": Row("mutants=usage_every_chunk", None, deviation="usage_repeated"),
    "an event that is no JSON": Row("fault=malformed", "bad_json", 3, words="no JSON object"),
    "an error inside a stream": Row("fault=inband_error", "inband_error", 3, words="The engine died", ttft=True),
    "nothing said": Row("fault=empty", "empty"),
    "a page of HTML": Row("fault=html_200", "bad_sse", 3, words="HTML page (title"),
    "JSON where a stream was asked": Row("mutants=no_stream", None, deviation="not_streamed", ttft=False),
    "another content type": Row("mutants=wrong_type", None, deviation="content_type"),
    "gzip that nobody asked for": Row("mutants=gzip_unasked", "bad_http", 3, words="content-encoding 'gzip'"),
    "gzip that is none": Row("mutants=lying_encoding", "bad_http", 3, words="content-encoding 'gzip'"),
    "a length that is too long": Row("fault=lying_length", None, deviation="unclean_close"),
    "a line of 10 MB": Row("fault=giant_line", "too_large", words="1000000 bytes"),
    "no end": Row("fault=endless", "too_large", words="reads"),
    "half of a surrogate pair": Row("mutants=lone_surrogate", None, deviation="lone_surrogate"),
    "NUL": Row("mutants=nul", None),
    "control sequences": Row("mutants=ansi", None),
    "signs that turn the direction": Row("mutants=bidi", None),
    "bytes that are no UTF-8": Row("mutants=split_character", None),
    "many tokens in a chunk": Row("mutants=coarse_chunks", None, ttft=True),
    "thinking as an object": Row("mutants=reason_object", None),
    "another model": Row("mutants=other_model", None),
    "another fingerprint": Row("mutants=other_fingerprint", None),
}


@pytest.fixture(scope="module")
def befallen(simulator: Running, tmp_path_factory: pytest.TempPathFactory) -> Sitting:
    """One run against an endpoint for each row."""
    ends = [
        endpoint(
            f"row{number}/m",
            simulator.base_url,
            headers={"x-sim": f"{row.sim},tokens=16"},
            deadlines=row.deadlines,
        )
        for number, row in enumerate(SERVER.values())
    ]
    return _run(ends, tmp_path_factory.mktemp("befallen"))


def test_each_request_has_one_end_and_all_sums_agree(befallen: Sitting) -> None:
    """Whatever befell them: the plan, the journal, Parquet, the database and the report tell of the same ends."""
    assert_whole(befallen.folder)


@pytest.mark.parametrize("number", range(len(SERVER)), ids=SERVER)
def test_what_a_server_does(number: int, befallen: Sitting) -> None:
    """Its name, its tries, its marks and words."""
    row = list(SERVER.values())[number]
    attempts = [one for one in read_attempts(befallen.folder) if one.job.endpoint == f"row{number}/m"]
    kinds = {kind_of(one) for one in attempts}
    assert row.kind in kinds
    assert kinds <= {row.kind, *row.also}
    assert Counter(one.job.kind for one in attempts) == {"quality": N * row.tries, "load": N}
    for one in attempts:
        _check(row, one)
    if row.ttft is not None:
        completions = [understand(one).completion for one in attempts if one.job.kind == "load"]
        assert any(one is not None and one.marks.tok1_ns is not None for one in completions) == row.ttft


def _check(row: Row, attempt: Attempt) -> None:
    outcome = understand(attempt)
    if outcome.failure is not None and outcome.failure.kind == row.kind:
        assert row.words in outcome.failure.detail
        assert outcome.failure.retry_after_s == (None if row.wait_s is None else pytest.approx(row.wait_s, abs=1))
    if row.deviation is not None:
        assert outcome.completion is not None
        assert row.deviation in outcome.completion.deviations


def test_a_run_that_nobody_lets_in_ends_early(simulator: Running, tmp_path: Path) -> None:
    """A wrong key or model costs a handful of requests, not all of them, and the command ends with exit code 3."""
    faults = {"key": "http_401", "right": "http_403", "model": "http_404"}
    ends = [endpoint(f"{name}/m", simulator.base_url, headers={"x-sim": f"fault={faults[name]}"}) for name in faults]
    sat = _run(ends, tmp_path, n=60)
    assert_agree(sat.folder)
    sent = Counter((one.job.endpoint, one.job.kind) for one in read_attempts(sat.folder) if kind_of(one) != "unasked")
    for one in ends:
        assert sent[one.id, "quality"] <= 10
        assert sent[one.id, "load"] <= breaker.AFTER_LOAD + 4
    assert len({one.job.id for one in read_attempts(sat.folder)}) == 3 * 2 * 60
    with pytest.raises(CannotMeasure, match="nothing could be measured") as caught:
        finish(sat, tmp_path, as_json=True)
    assert caught.value.exit_code == 3


# --- what the way to it does -----------------------------------------------------------------------------


def _refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_a_port_that_refuses(tmp_path: Path) -> None:
    """Its own kind, with the address in the line; tried again, since a server may be starting."""
    sat = _run([endpoint("p/m", _refused(), deadlines=SHORT)], tmp_path)
    assert_whole(sat.folder)
    assert {kind_of(one) for one in read_attempts(sat.folder)} == {"connect"}
    assert sat.barren is not None
    assert "Connection refused" in sat.barren.detail


def test_a_name_that_is_none(tmp_path: Path) -> None:
    """A name that cannot be resolved is told as that, and is not asked for again and again."""
    sat = _run([endpoint("p/m", "https://nowhere.invalid/v1", deadlines=SHORT)], tmp_path)
    assert_whole(sat.folder)
    found = list(read_attempts(sat.folder))
    assert {kind_of(one) for one in found} == {"dns"}
    assert len(found) == 2 * N
    assert all(one.exchange.marks.conn_ns is None for one in found)


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    """The name of the fault is TLS; the connection mark is there, nothing was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    with Loopback([sized(b"{}")], tls=context) as server:
        sat = _run([endpoint("p/m", f"https://localhost:{server.port}/v1", deadlines=SHORT)], tmp_path / "results")
    assert_whole(sat.folder)
    found = list(read_attempts(sat.folder))
    assert {kind_of(one) for one in found} == {"tls"}
    assert all(one.exchange.marks.send0_ns is None for one in found)
    assert server.requests == []


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Another host gets neither the question nor the key."""
    with Loopback([sized(b"never asked")]) as other:
        to = f"location: http://127.0.0.1:{other.port}/v1/chat/completions"
        with Loopback([sized(b"", "307 Temporary Redirect", to)]) as server:
            sat = _run([endpoint("p/m", f"http://127.0.0.1:{server.port}/v1", deadlines=SHORT)], tmp_path)
        assert other.requests == []
    assert_whole(sat.folder)
    assert {kind_of(one) for one in read_attempts(sat.folder)} == {"bad_http"}


ENDED = b'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"%b"},'
ENDED += b'"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'data: {"choices":[{"index":0,"delta":{"content":"no end"}}]}\n\ndata: [DONE]\n\n', "truncated"),
        (ENDED % b"\xff\xfe", None),
        (ENDED % b"\xe2\x82", None),
        (ENDED % b"\\u0000\\ud83d", None),
        (b"\xef\xbb\xbf" + ENDED % b"bom", None),
        (b"data: " + b"[" * 100_000 + b"\n\n" + ENDED % b"deep", "bad_json"),
        (b"\x00\x01\x02", "bad_sse"),
    ],
)
def test_what_a_body_holds(body: bytes, kind: str | None, tmp_path: Path) -> None:
    """Bytes that are no text, halves of signs, depth without end: stored, sealed and read back, never fatal."""
    with Loopback([CHUNKED, chunk(body), LAST_CHUNK]) as server:
        sat = _run([endpoint("p/m", f"http://127.0.0.1:{server.port}/v1", deadlines=SHORT)], tmp_path)
    assert_whole(sat.folder)
    assert {kind_of(one) for one in read_attempts(sat.folder)} == {kind}
    assert all(one.exchange.body == body for one in read_attempts(sat.folder))


# --- what this machine and its people do -----------------------------------------------------------------


def test_a_clock_that_jumps(simulator: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run says so and keeps it; its durations are those of a clock that does not."""
    real, moved = wall._now, [timedelta(0)]
    monkeypatch.setattr(wall, "_now", lambda: real() + moved[0])
    anchor = wall.Anchor()
    assert anchor.jump_s() is None
    watcher = Watcher()
    monkeypatch.setattr(watcher, "stage", lambda _: moved.__setitem__(0, timedelta(hours=-1)))
    sat = sitting.start(_plan([endpoint("p/m", simulator.base_url)]), results=tmp_path, company=Company(watcher))
    assert sat.folder.read_manifest()["clock_jump_s"] == pytest.approx(-3600, abs=1)
    assert any("clock of this machine moved by -3" in line for line in watcher.lines)
    assert_whole(sat.folder)
    assert rows(tmp_path, "select min(e2e_ms) >= 0 as sane from attempt_metrics") == [{"sane": True}]


def test_a_folder_that_may_not_be_written_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Nothing is sent where nothing could be kept."""
    (tmp_path / "file").write_text("")
    with Loopback([sized(b"{}")]) as server:
        with pytest.raises(StoreError, match="file"):
            _run([endpoint("p/m", f"http://127.0.0.1:{server.port}/v1")], tmp_path / "file" / "results")
        assert server.requests == []


def test_two_runs_at_once_are_told_of_each_other(simulator: Running, tmp_path: Path) -> None:
    """Each has a folder of its own; who asks what another asks is told, for they disturb each other."""
    first = _run([endpoint("p/m", simulator.base_url)], tmp_path)
    watcher = Watcher()
    with first.folder.lock():
        sat = sitting.start(_plan([endpoint("q/m", simulator.base_url)]), results=tmp_path, company=Company(watcher))
    (line,) = [line for line in watcher.lines if "disturbs the other" in line]
    assert first.folder.id in line
    assert simulator.base_url in line
    for run in (first.folder, sat.folder):
        assert_whole(run)


def test_a_budget_is_a_hard_stop_and_resume_goes_on(simulator: Running, tmp_path: Path) -> None:
    """No request beyond the bound; what is left is asked by another sitting, each once."""
    ends = [endpoint("p/m", simulator.base_url)]
    sat = _run(ends, tmp_path, n=6, budget=Budget(max_requests=3))
    assert sat.status == "interrupted"
    assert len(list(read_attempts(sat.folder))) == 3
    assert_agree(sat.folder)
    providers = {one.provider.id: one.provider for one in ends}
    sitting.resume(sat.folder, catalog=catalog(*_things(6)), providers=providers, company=Company(Watcher()))
    assert_whole(sat.folder)


def test_another_model_is_kept_with_each_answer(simulator: Running, tmp_path: Path) -> None:
    """Who answered is a column of each attempt, not a guess."""
    told = {"x-sim": "mutants=other_model"}
    _run([endpoint("p/m", simulator.base_url, headers=told)], tmp_path)
    models = rows(tmp_path, "select distinct response_model as model from attempts")
    assert len(models) == 1
    assert models[0]["model"] not in ("m", "sim-small", None)
