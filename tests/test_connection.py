"""One exchange on a real loopback socket: marks, stamps, framing, faults, deadlines."""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from loopback import CHUNKED, LAST_CHUNK, Loopback, chunk, sized

from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.wire import connection, loop
from harness.wire.pool import Origin, Pool

HEAD = b"POST /x HTTP/1.1\r\nhost: loopback\r\ncontent-length: %d\r\n\r\n"
QUICK = Deadlines(connect_s=5, first_byte_s=5, idle_s=5, total_s=5)

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps TCP packets")


@pytest.fixture(params=[loop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Both event loops."""
    chosen: Callable[[Coroutine[Any, Any, Any]], Any] = request.param
    return chosen


async def post(port: int, body: bytes = b"{}", deadlines: Deadlines = QUICK, host: str = "127.0.0.1") -> Exchange:
    """One request on a pool of its own."""
    pool = Pool()
    try:
        return await pool.send(Origin("http", host, port), HEAD % len(body), body, deadlines)
    finally:
        await pool.aclose()


def test_marks_and_body(run: Any) -> None:
    """A plain exchange has every mark in order, status, lower-case headers, its body and the peer's address."""
    with Loopback([sized(b"hello", "201 Created", "X-Name: v")]) as server:
        before = time.perf_counter_ns()
        exchange = run(post(server.port, b'{"a":1}'))
        after = time.perf_counter_ns()
    marks = exchange.marks
    assert server.requests == [HEAD % 7 + b'{"a":1}']
    assert (exchange.status, exchange.body, exchange.failure) == (201, b"hello", None)
    assert exchange.headers[0] == ("x-name", "v")
    assert exchange.remote == f"127.0.0.1:{server.port}"
    assert (exchange.reused, exchange.tls_version, marks.tls_ns) == (False, None, None)
    order = [before, marks.dns_ns, marks.conn_ns, marks.send0_ns, marks.send1_ns, marks.hdr_ns, marks.eof_ns, after]
    assert None not in order
    # The answer may arrive before send() has returned to us, so send1 is only bounded from below.
    order.remove(marks.send1_ns)
    assert order == sorted(order, key=lambda mark: mark or 0)
    assert (marks.send1_ns or 0) >= (marks.send0_ns or 0)


async def blocked(main: Coroutine[Any, Any, Any]) -> Any:
    """Run something while the event loop is blocked in bursts of 50 ms."""
    task = asyncio.create_task(main)
    while not task.done():
        time.sleep(0.05)  # noqa: ASYNC251 - the loop is blocked on purpose
        await asyncio.sleep(0)
    return await task


def check_stamps(exchange: Exchange, server: Loopback, sizes: list[int]) -> None:
    """Read times are those of the server's sends although the client looked tens of milliseconds later."""
    assert exchange.failure is None
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    errors, got = [], 0
    for read in exchange.reads:
        got += len(read.data)
        sent_ns = server.sent_ns[1 + ends.index(got)]  # the stamp of a read is that of its last packet
        errors.append((read.at_ns - sent_ns) / 1e6)
    assert len(errors) >= 5
    assert min(errors) > -0.5
    assert statistics.median(errors) < 20
    assert (exchange.lag_max_ns or 0) > 20e6, "the user's clock would have been off by this much"


PACED = [CHUNKED] + [step for index in range(10) for step in (0.06, chunk(b"data: %d\n\n" % index))] + [LAST_CHUNK]
PACED_SIZES = [9] * 10


@linux
def test_kernel_stamps_while_the_loop_is_blocked(run: Any) -> None:
    """The time of a read is the packet's arrival, not the moment a busy client got round to it."""
    with Loopback(PACED) as server:
        exchange = run(blocked(post(server.port)))
        check_stamps(exchange, server, PACED_SIZES)
    assert exchange.clock == "kernel"


def test_coalesced_reads_are_counted() -> None:
    """Chunks that one read brought have one stamp, and the record says how many reads are like that."""
    with Loopback([CHUNKED, 0.05, chunk(b"a") + chunk(b"b"), 0.05, chunk(b"c") + LAST_CHUNK]) as server:
        exchange = loop.run(post(server.port))
    assert [read.data for read in exchange.reads] == [b"ab", b"c"]
    assert exchange.coalesced_reads == 1


def test_large_request_in_parts(run: Any) -> None:
    """A body larger than the kernel takes at once arrives whole, and send1 waits for its last byte."""
    body = bytes(range(256)) * 60_000
    with Loopback([sized(b"ok")], deaf=0.2) as server:
        exchange = run(post(server.port, body))
    assert exchange.failure is None
    assert server.requests == [HEAD % len(body) + body]
    assert (exchange.marks.send1_ns or 0) - (exchange.marks.send0_ns or 0) > 100e6


def test_early_refusal_of_a_large_request() -> None:
    """A server that answers and hangs up before it has read the request is heard; the connection is not kept."""
    listener = socket.create_server(("127.0.0.1", 0))

    async def main() -> Exchange:
        task = asyncio.create_task(post(listener.getsockname()[1], bytes(30_000_000)))
        peer, _ = await asyncio.to_thread(listener.accept)
        peer.sendall(sized(b"too big", "413 Content Too Large", "connection: close"))
        try:
            return await task
        finally:
            peer.close()

    with listener:
        exchange = loop.run(main())
    assert (exchange.status, exchange.body, exchange.failure) == (413, b"too big", None)
    assert exchange.marks.send1_ns is None


def test_close_delimited() -> None:
    """A body without framing ends with the connection and is no failure."""
    with Loopback([b"HTTP/1.1 200 OK\r\n\r\nabc", 0.03, b"def", "fin"]) as server:
        exchange = loop.run(post(server.port))
    assert (exchange.body, exchange.failure) == (b"abcdef", None)
    assert (exchange.marks.eof_ns or 0) >= exchange.reads[-1].at_ns


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ([CHUNKED, chunk(b"part"), 0.03, "fin"], "truncated", "after 4 body bytes"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", "fin"], "truncated", "content-length said 9"),
        (["fin"], "truncated", "before any response byte"),
        ([CHUNKED, chunk(b"part"), 0.05, "rst"], "reset", "after 4 body bytes"),
        (["rst"], "reset", "before the response headers"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n", "wait"], "bad_http", "not an HTTP/1.1 response"),
        ([CHUNKED, chunk(b"part"), b"garbage\r\n", "wait"], "bad_http", "framing"),
        ([sized(b"part", "200 OK", "content-encoding: gzip")], "bad_http", "gzip"),
    ],
)
def test_faults(run: Any, script: Any, kind: str, said: str) -> None:
    """Each way a peer can break off has its own kind and a clear line; what came before it is kept."""
    with Loopback(script) as server:
        exchange = run(post(server.port))
    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.failure.status) == (kind, exchange.status)
    assert said in exchange.failure.detail
    assert exchange.body == (b"part" if exchange.status else b"")


def test_refused(run: Any) -> None:
    """A port nobody listens on is the failure connect, at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    exchange = run(post(port))
    assert exchange.failure is not None
    assert exchange.failure.kind == "connect"
    assert f"127.0.0.1:{port}" in exchange.failure.detail
    assert exchange.marks.dns_ns is not None
    assert exchange.marks.conn_ns is None


@pytest.mark.parametrize("host", ["nowhere.invalid", "not a name", "a..b", "x" * 70 + ".com"])
def test_dns(run: Any, host: str) -> None:
    """A name that cannot exist is the failure dns, at once and without a network."""
    begin = time.perf_counter()
    exchange = run(post(80, host=host))
    assert time.perf_counter() - begin < 1
    assert exchange.failure is not None
    assert exchange.failure.kind == "dns"
    assert exchange.marks.dns_ns is None


@pytest.mark.parametrize(
    ("script", "deadlines", "kind", "body"),
    [
        (["wait"], Deadlines(first_byte_s=0.15), "timeout_first_byte", b""),
        ([CHUNKED, "wait"], Deadlines(first_byte_s=0.15, idle_s=0.01), "timeout_first_byte", b""),
        ([CHUNKED, chunk(b"a"), "wait"], Deadlines(idle_s=0.15), "timeout_idle", b"a"),
        ([CHUNKED, *[chunk(b"a"), 0.1] * 3, "wait"], Deadlines(idle_s=0.25, total_s=9), "timeout_idle", b"aaa"),
        ([CHUNKED, *[chunk(b"a"), 0.1] * 50], Deadlines(idle_s=5, total_s=0.35), "timeout_total", None),
    ],
)
def test_deadlines(run: Any, script: Any, deadlines: Deadlines, kind: str, body: bytes | None) -> None:
    """Each deadline has its kind, is kept, and the bytes before it are kept too."""
    with Loopback(script) as server:
        begin = time.perf_counter()
        exchange = run(post(server.port, deadlines=deadlines))
        assert time.perf_counter() - begin < 3
        assert server.gone.wait(3), "the socket is closed when a deadline passes"
    assert exchange.failure is not None
    assert exchange.failure.kind == kind
    assert exchange.body == body if body is not None else exchange.body


def test_connect_deadline(run: Any) -> None:
    """A server whose queue is full does not hold us longer than the connect deadline."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        exchange = run(post(listener.getsockname()[1], deadlines=Deadlines(connect_s=0.2)))
        for sock in fill:
            sock.close()
    assert exchange.failure is not None
    assert exchange.failure.kind == "timeout_connect"
    assert "connect_s" in exchange.failure.detail


@pytest.mark.parametrize(
    ("script", "body", "status"),
    [
        (["wait"], b"", None),
        ([CHUNKED, *[chunk(b"a"), 0.02] * 50, "wait"], None, 200),
        ([CHUNKED, chunk(b"a"), "wait"], b"a", 200),
    ],
)
def test_a_user_who_gives_up(run: Any, script: Any, body: bytes | None, status: int | None) -> None:
    """Giving up ends the exchange in time, closes the socket, keeps what had come, and is no timeout."""
    with Loopback(script) as server:
        exchange = run(post(server.port, deadlines=Deadlines(give_up_s=0.2)))
        ended = time.perf_counter_ns()
        assert server.gone.wait(3)
    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.failure.status) == ("abandoned", status)
    assert exchange.failure.detail == "its user gave up after 0.2 s, as planned"
    assert exchange.body == body if body is not None else len(exchange.reads) > 2
    assert ended - (exchange.marks.send0_ns or 0) >= 0.2e9
    assert exchange.marks.eof_ns is None


def test_whoever_is_answered_in_time_does_not_give_up(run: Any) -> None:
    """An answer before the time is kept, and the time of one request says nothing to the next on its connection."""

    async def main(port: int) -> list[Exchange]:
        pool, origin = Pool(), Origin("http", "127.0.0.1", port)
        limits = [Deadlines(give_up_s=0.15), Deadlines(first_byte_s=0.6), Deadlines(give_up_s=0.05)]
        found = []
        for each in limits:
            found.append(await pool.send(origin, HEAD % 0, b"", each))
            await asyncio.sleep(0.03)
        await pool.aclose()
        return found

    with Loopback([sized(b"1")], [0.2, sized(b"2")], ["wait"]) as server:
        first, second, third = run(main(server.port))
    assert (first.body, first.failure, second.body, second.failure) == (b"1", None, b"2", None)
    assert third.reused
    assert third.failure is not None
    assert third.failure.kind == "abandoned"


def test_deadlines_of_many(run: Any) -> None:
    """Each of many exchanges ends at its own time, not before it and hardly after it."""

    async def one(port: int, limit_s: float) -> tuple[float, Exchange]:
        begin = time.perf_counter()
        exchange = await post(port, deadlines=Deadlines(give_up_s=limit_s))
        return time.perf_counter() - begin - limit_s, exchange

    async def main(port: int) -> list[tuple[float, Exchange]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(port, 0.1 + 0.01 * (n * 7 % 20))) for n in range(60)]
        return [task.result() for task in tasks]

    with Loopback(["wait"]) as server:
        found = run(main(server.port))
    assert {exchange.failure.kind for _, exchange in found if exchange.failure} == {"abandoned"}
    assert min(late for late, _ in found) >= 0


def test_reads_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that comes in more pieces than anybody can keep is given up, with what had come."""
    monkeypatch.setattr(connection, "MAX_READS", 3)
    with Loopback([CHUNKED, *[chunk(b"a"), 0.03] * 9, LAST_CHUNK]) as server:
        exchange = loop.run(post(server.port))
    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.body) == ("too_large", b"aaaa")


def test_a_read_of_one_byte_costs_little() -> None:
    """A stream of single bytes takes some hundred bytes of memory for each read and no more."""
    count = 4000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % count)
        for _ in range(count):
            writer.write(b"x")
            await asyncio.sleep(0)
        await writer.drain()
        writer.close()

    async def main() -> tuple[Exchange, int]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await post(port, b"")  # what is loaded once
            before, _ = tracemalloc.get_traced_memory()
            exchange = await post(port, b"")
            return exchange, tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        exchange, held = loop.run(main())
    finally:
        tracemalloc.stop()
    assert (exchange.failure, exchange.body) == (None, b"x" * count)
    assert held < 300 * len(exchange.reads) + 50_000


def test_what_arrived_beats_a_deadline(run: Any) -> None:
    """Bytes that came in time but were read late, because the client was busy, are not a timeout."""

    async def main(port: int) -> Exchange:
        task = asyncio.create_task(post(port, deadlines=Deadlines(first_byte_s=0.2)))
        await asyncio.sleep(0.05)
        time.sleep(0.4)  # noqa: ASYNC251 - the loop is blocked on purpose
        return await task

    with Loopback([0.1, sized(b"in time")]) as server:
        exchange = run(main(server.port))
    assert (exchange.body, exchange.failure) == (b"in time", None)


def test_cancellation_closes_the_socket(run: Any) -> None:
    """Cancelling an exchange closes its socket at once, before the pool is closed, and raises."""

    async def main(server: Loopback) -> None:
        pool = Pool()
        sent = pool.send(Origin("http", "127.0.0.1", server.port), HEAD % 0, b"", QUICK)
        task = asyncio.create_task(sent)
        assert await asyncio.to_thread(server.asked.wait, 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.gone.wait, 3)
        await pool.aclose()

    with Loopback([CHUNKED, "wait"]) as server:
        run(main(server))
