"""The simulator's end of a connection: its times are those of the wire, and no byte is lost on the way out."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from loopback import certificate

from harness.engines import child
from harness.simulator.serving.link import Link
from harness.wire import loop
from harness.wire.clock import KernelClock

BODY = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(
    BODY
)


class Heard:
    """What a link told."""

    def __init__(self) -> None:
        self.data = b""
        self.drain = asyncio.Event()
        self.ended = asyncio.Event()

    def received(self, data: bytes, at_ns: int) -> None:
        """Bytes came."""
        assert at_ns <= time.perf_counter_ns()
        self.data += data

    def drained(self) -> None:
        """The kernel has all."""
        self.drain.set()

    def lost(self) -> None:
        """It is over."""
        assert not self.ended.is_set()
        self.ended.set()


@pytest.fixture(params=[loop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Both event loops."""
    chosen: Callable[[Coroutine[Any, Any, Any]], Any] = request.param
    return chosen


def linked() -> tuple[Link, Heard, socket.socket]:
    """A link that is read from, what it tells, and the other end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link, heard = Link(ours, None, KernelClock()), Heard()
    link.begin(heard)
    return link, heard, theirs


async def read_all(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or what comes before the end."""
    data = b""
    while len(data) < size and (piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 16)):
        data += piece
    return data


@pytest.mark.skipif(sys.platform != "linux", reason="kernel arrival stamps are Linux's")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_request_counts_from_its_arrival(tmp_path: Path, tls: bool) -> None:
    """A simulator that was stopped when a request came logs when it came, and answers after it goes on."""
    if tls and shutil.which("openssl") is None:
        pytest.skip("needs the openssl command for a certificate")
    argv = [sys.executable, "-m", "harness", "simulate", "null", "--log", str(tmp_path / "log")]
    if tls:
        cert, key = certificate(tmp_path)
        argv += ["--tls-cert", str(cert), "--tls-key", str(key)]
    process, ready = child.spawn(argv, log=tmp_path / "out.txt", ready_timeout_s=30)
    try:
        port = int(ready["base_url"].rsplit(":", 1)[1].split("/")[0])
        sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the request waits for an acknowledgement
        if tls:
            sock = ssl.create_default_context(cafile=str(cert)).wrap_socket(sock, server_hostname="127.0.0.1")
        with sock:
            os.kill(process.pid, signal.SIGSTOP)
            sent_ns = time.perf_counter_ns()
            sock.sendall(REQUEST + BODY)
            handed_ns = time.perf_counter_ns()
            time.sleep(0.2)
            on_ns = time.perf_counter_ns()
            os.kill(process.pid, signal.SIGCONT)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
    finally:
        child.stop(process)
    assert b"[DONE]" in answer
    (line,) = [one for one in map(json.loads, (tmp_path / "log").read_text().splitlines()) if one["type"] == "request"]
    assert sent_ns - 50_000 <= line["read_ns"] <= handed_ns + 50_000  # what two clocks may be apart
    assert on_ns < line["headers_ns"] <= line["first_ns"] <= line["end_ns"]


def test_what_the_kernel_does_not_take_follows(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """A client that does not read makes the link full; once it reads it gets all in order, and drained is told."""
    pieces = [bytes([number]) * (1 << 20) for number in range(6)]

    async def go() -> None:
        link, heard, theirs = linked()
        assert not link.full
        for piece in pieces:
            link.write(piece)
        assert link.full
        assert await read_all(theirs, sum(map(len, pieces))) == b"".join(pieces)
        await heard.drain.wait()
        link.close()
        await heard.ended.wait()
        theirs.close()

    run(go())


def test_a_closed_link_still_says_what_it_was_told(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """What was written before the close arrives before the end; what is written afterwards does not."""

    async def go() -> None:
        link, heard, theirs = linked()
        link.write(b"x" * (1 << 20))
        link.close()
        link.write(b"y")
        assert link.ended
        assert not heard.ended.is_set()
        assert await read_all(theirs, 1 << 21) == b"x" * (1 << 20)
        await heard.ended.wait()
        theirs.close()

    run(go())


def test_a_client_that_goes_is_noticed_behind_what_it_said(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """Bytes and the end that come together are both told, the bytes first."""

    async def go() -> bytes:
        link, heard, theirs = linked()
        theirs.sendall(b"the last words")
        theirs.close()
        await heard.ended.wait()
        assert link.ended
        return heard.data

    assert run(go()) == b"the last words"
