"""The simulator keeps its schedule and logs its own sends truly; bounds are generous, machines are shared."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from loopback import certificate

from harness.engines import child
from harness.simulator.engine.batch import offsets_ns
from harness.simulator.model.chance import draw
from harness.simulator.profile import PROFILES, Profile
from harness.wire.alarm import Alarm

TTFT_MS, ITL_MS, TOKENS = 60, 10, 30
MS = 1_000_000


# --- the schedule ----------------------------------------------------------------------------------------


def test_the_schedule_of_truth_is_exact() -> None:
    """Without jitter the k-th token is due at TTFT + k ITL, to the nanosecond, whatever the seed."""
    for seed in (0, 1):
        due = offsets_ns(PROFILES["truth"], 64, draw(seed))
        assert due == [200 * MS + step * 20 * MS for step in range(64)]


def test_jitter_spreads_around_the_median() -> None:
    """A lognormal factor of median 1 on TTFT and on each gap: rising times, half below, the same with the same seed."""
    profile = Profile("x", ttft_ms=100, itl_ms=10, jitter=0.5)
    rows = [offsets_ns(profile, 50, draw(seed)) for seed in range(200)]
    assert rows[0] == offsets_ns(profile, 50, draw(0))
    assert all(row == sorted(row) for row in rows)
    assert 90 * MS < statistics.median(row[0] for row in rows) < 110 * MS
    gaps = [later - sooner for row in rows for sooner, later in itertools.pairwise(row)]
    assert 9.7 * MS < statistics.median(gaps) < 10.3 * MS
    assert statistics.quantiles(gaps, n=20)[-1] > 2 * 10 * MS


def test_the_alarm_rings_in_order_and_never_early() -> None:
    """Callbacks come in the order they are due, none before its time, and one that asks for now starves no other."""

    async def ring() -> tuple[list[str], list[int]]:
        alarm, order, early = Alarm(asyncio.get_running_loop()), [], []
        start, done = time.perf_counter_ns(), asyncio.Event()

        def mark(name: str, due: int) -> None:
            order.append(name)
            early.append(time.perf_counter_ns() - due)
            if name == "last":
                done.set()

        def busy() -> None:
            if not done.is_set():
                alarm.at(start, busy)

        alarm.at(start, busy)
        for name, after in (("last", 30), ("second", 20), ("first", 10), ("past", -5)):
            due = start + after * MS
            alarm.at(due, lambda name=name, due=due: mark(name, due))  # type: ignore[misc]
        await asyncio.wait_for(done.wait(), 5)
        alarm.close()
        return order, early

    order, early = asyncio.run(ring())
    assert order == ["past", "first", "second", "last"]
    assert all(late >= 0 for late in early)


# --- over sockets ----------------------------------------------------------------------------------------


class Run(NamedTuple):
    """What a client saw and what the server logged."""

    arrivals: dict[str, list[int]]
    """By response id, when each token event was read."""
    lines: dict[str, dict[str, Any]]
    """By response id, the server's log."""
    last: dict[str, Any]


@contextmanager
def simulating(folder: Path, *options: str) -> Iterator[str]:
    """The base URL of a simulator that logs every chunk into ``folder``."""
    argv = [sys.executable, "-m", "harness", "simulate", "truth", "--log", str(folder / "log.jsonl"), "--log-chunks"]
    for setting in (f"ttft_ms={TTFT_MS}", f"itl_ms={ITL_MS}", f"tokens={TOKENS}"):
        argv += ["--set", setting]
    process, ready = child.spawn([*argv, *options], log=folder / "out.txt", ready_timeout_s=30)
    try:
        yield ready["base_url"]
    finally:
        child.stop(process)


async def stream(base_url: str, number: int, tls: ssl.SSLContext | None, **fields: Any) -> tuple[str, list[int]]:
    """One chat on a socket of its own; its id and the arrival of each token event (of the whole, unstreamed)."""
    port = int(base_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    messages = [{"role": "user", "content": f"{number}: tell me a story"}]
    body = json.dumps({"model": "sim-small", "messages": messages, "stream": True, **fields}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    seen, arrivals = b"", list[int]()
    while data := await reader.read(65536):
        now = time.perf_counter_ns()
        seen += data
        tokens = seen.count(b'"delta":{"content"') + seen.count(b'"message"')
        arrivals += [now] * (tokens - len(arrivals))
    writer.close()
    await writer.wait_closed()
    return seen.split(b'"id":"', 1)[1].split(b'"', 1)[0].decode(), arrivals


def run(folder: Path, count: int, *options: str, tls: ssl.SSLContext | None = None, **fields: Any) -> Run:
    """So many streams at once against a simulator of its own."""

    async def all_of_them(base_url: str) -> dict[str, list[int]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(stream(base_url, number, tls, **fields)) for number in range(count)]
        return dict(task.result() for task in tasks)

    with simulating(folder, *options) as base_url:
        arrivals = asyncio.run(all_of_them(base_url))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return Run(arrivals, {line["id"]: line for line in lines if line["type"] == "request"}, lines[-1])


def lateness_ms(line: dict[str, Any], tokens_a_write: int = 1) -> list[float]:
    """How late each write was against the schedule; below 0 it was early."""
    due = [line["read_ns"] + (TTFT_MS + step * ITL_MS) * MS for step in range(0, TOKENS, tokens_a_write)]
    return [(sent - planned) / MS for sent, planned in zip(line["chunks_ns"], due, strict=True)]


@pytest.mark.bench
def test_many_streams_keep_their_schedule(tmp_path: Path) -> None:
    """With 48 streams at 100 tokens/s every token is sent, none early, the median within 3 ms, and nothing adds up."""
    found = run(tmp_path, 48)
    assert found.arrivals.keys() == found.lines.keys()
    late = [ms for line in found.lines.values() for ms in lateness_ms(line)]
    assert len(late) == 48 * TOKENS
    assert min(late) >= 0
    assert statistics.median(late) < 3
    third = TOKENS // 3
    drift = [
        statistics.median(ms[-third:]) - statistics.median(ms[:third]) for ms in map(lateness_ms, found.lines.values())
    ]
    assert statistics.median(drift) < 3
    assert found.last["token_writes"] == 48 * TOKENS
    assert found.last["late_p50_ms"] < 3


@pytest.mark.bench
def test_what_a_client_sees_came_after_what_was_logged(tmp_path: Path) -> None:
    """Both processes read one clock: each token arrives after its logged send, half of them within 5 ms."""
    if sys.platform != "linux":
        pytest.skip("only on Linux is the clock the same in every process")
    found = run(tmp_path, 8)
    delays = [
        (arrived - sent) / MS
        for name, line in found.lines.items()
        for arrived, sent in zip(found.arrivals[name], line["chunks_ns"], strict=True)
    ]
    assert min(delays) > 0
    assert statistics.median(delays) < 5


@pytest.mark.bench
def test_a_burst_is_one_write(tmp_path: Path) -> None:
    """With burst 8 the tokens come eight to a write, each group when its first token is due, and none is lost."""
    found = run(tmp_path, 4, "--set", "burst=8")
    for name, line in found.lines.items():
        late = lateness_ms(line, 8)
        assert len(late) == 4
        assert min(late) >= 0
        assert line["sent"] == len(found.arrivals[name]) == TOKENS


@pytest.mark.bench
def test_an_unstreamed_answer_comes_with_its_last_token(tmp_path: Path) -> None:
    """Without a stream the whole answer is sent when the last token would be."""
    found = run(tmp_path, 4, stream=False)
    for line in found.lines.values():
        late = (line["end_ns"] - line["read_ns"]) / MS - (TTFT_MS + (TOKENS - 1) * ITL_MS)
        assert 0 <= late < 250


@pytest.mark.bench
def test_headers_come_early_or_with_the_first_token(tmp_path: Path) -> None:
    """Headers and role chunk are sent at once, or, with early_role=no, right before the first token."""
    for folder, options, least, most in (("a", (), 0, TTFT_MS / 2), ("b", ("--set", "early_role=no"), TTFT_MS, 1e9)):
        (tmp_path / folder).mkdir()
        for line in run(tmp_path / folder, 2, *options).lines.values():
            waits = [(line[mark] - line["read_ns"]) / MS for mark in ("headers_ns", "role_ns")]
            assert least <= min(waits) <= max(waits) <= most
            assert line["role_ns"] <= line["first_ns"] <= line["last_ns"] <= line["end_ns"]


@pytest.mark.bench
def test_the_schedule_holds_under_tls(tmp_path: Path) -> None:
    """Under TLS the same tokens are sent on the same schedule."""
    cert, key = certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=cert)
    found = run(tmp_path, 8, "--tls-cert", str(cert), "--tls-key", str(key), tls=trusted)
    late = [ms for line in found.lines.values() for ms in lateness_ms(line)]
    assert len(late) == 8 * TOKENS
    assert min(late) >= 0
    assert statistics.median(late) < 5
