"""How much the simulator can send: it must not be the bottleneck of what is measured against it.

``pytest tests/bench -s`` prints the figures.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.engines import child

pytestmark = pytest.mark.bench
_TOKEN = b'"delta":{"content":"'


class Load(NamedTuple):
    """Streams at once, one after the other on each connection, tokens in each, seconds over which they begin."""

    streams: int
    rounds: int
    tokens: int
    over_s: float


class Figures(NamedTuple):
    """What came of it."""

    chunks_per_s: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float


def measured(folder: Path, load: Load, *settings: str) -> Figures:
    """One load against a simulator of its own, which logs."""
    log = folder / "log.jsonl"
    argv = [sys.executable, "-m", "harness", "simulate", "null", "--watch-stdin", "--log", str(log)]
    for setting in settings:
        argv += ["--set", setting]
    process, ready = child.spawn(argv, log=folder / "out.txt", ready_timeout_s=30)
    try:
        chunks, seconds = _drive(int(ready["base_url"].rsplit(":", 1)[1].split("/")[0]), load)
    finally:
        child.stop(process)
    assert chunks == load.streams * load.rounds * load.tokens
    last: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return Figures(round(chunks / seconds), last["late_p50_ms"], last["late_p99_ms"], last["late_max_ms"])


def _drive(port: int, load: Load) -> tuple[int, float]:
    """Ask and count, with as little work for each byte as can be; token chunks seen and seconds taken."""
    body = {"model": "sim-small", "stream": True, "max_tokens": load.tokens, "ignore_eos": True}
    chunks, open_ones, started = 0, load.streams, 0
    begin = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        state = []
        for number in range(load.streams):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, number)
            state.append([load.rounds, b"", sock])

        def ask(number: int) -> None:
            messages = [{"role": "user", "content": f"{number} {state[number][0]}: a story"}]
            data = json.dumps({**body, "messages": messages}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
            state[number][2].sendall(head.encode() + data)

        while open_ones:
            while started < load.streams and time.perf_counter() - begin >= load.over_s * started / load.streams:
                ask(started)
                started += 1
            for key, _ in selector.select(0.001 if started < load.streams else 5):
                one = state[key.data]
                data = one[2].recv(1 << 20)
                assert data
                # A read may end inside the mark.
                chunks += (one[1][1 - len(_TOKEN) :] + data).count(_TOKEN)
                one[1] = (one[1] + data)[-40:]
                if one[1].endswith(b"[DONE]\n\n\r\n0\r\n\r\n"):
                    one[0], one[1] = one[0] - 1, b""
                    if one[0]:
                        ask(key.data)
                    else:
                        open_ones -= 1
        seconds = time.perf_counter() - begin
        for _, _, sock in state:
            sock.close()
    return chunks, seconds


def test_tokens_without_delay_come_by_the_ten_thousands(tmp_path: Path) -> None:
    """Profile null sends far more chunks a second than any client here is asked to read."""
    found = measured(tmp_path, Load(streams=32, rounds=20, tokens=64, over_s=0))
    print(f"\nnull: {found}")
    assert found.chunks_per_s > 15_000


def test_256_streams_keep_their_pace(tmp_path: Path) -> None:
    """With 256 streams at an ITL of 20 ms, 12,800 chunks a second, half of the tokens leave within 3 ms."""
    load = Load(streams=256, rounds=1, tokens=100, over_s=1)
    found = measured(tmp_path, load, "ttft_ms=200", "itl_ms=20")
    print(f"\n256 streams: {found}")
    assert found.late_p50_ms < 3
