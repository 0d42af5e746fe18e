"""Keeping connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from loopback import CHUNKED, LAST_CHUNK, Loopback, chunk, sized

from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.wire.loop import run
from harness.wire.pool import PROOF_NS, Origin, Pool

GET = b"GET / HTTP/1.1\r\nhost: loopback\r\n\r\n"

Send = Callable[[], Coroutine[Any, Any, Exchange]]


async def prove() -> None:
    """Leave an idle connection open for as long as it takes to trust its server."""
    await asyncio.sleep(1.5 * PROOF_NS / 1e9)


def with_pool(server: Loopback, main: Callable[[Send, Pool], Awaitable[None]]) -> None:
    """Run ``main`` with a function that sends one GET to the server."""

    async def body() -> None:
        pool = Pool()

        async def send() -> Exchange:
            return await pool.send(Origin("http", "127.0.0.1", server.port), GET, b"", Deadlines(total_s=5))

        try:
            await main(send, pool)
        finally:
            await pool.aclose()

    run(body())


def test_connection_is_reused() -> None:
    """The second request goes over the first one's connection: no connection marks, reused, own reads only."""

    async def main(send: Send, pool: Pool) -> None:
        first = await send()
        await prove()
        second = await send()
        assert (first.reused, second.reused) == (False, True)
        assert (second.marks.dns_ns, second.marks.conn_ns) == (None, None)
        assert (first.body, second.body) == (b"one", b"two")
        assert second.remote == first.remote

    with Loopback([sized(b"one")], [CHUNKED, chunk(b"two"), LAST_CHUNK]) as server:
        with_pool(server, main)
        assert server.accepted == 1


def test_last_used_first() -> None:
    """Parallel requests open connections; afterwards the last one given back is taken first."""

    async def main(send: Send, pool: Pool) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send()) for _ in range(3)]
        assert not any(task.result().reused for task in tasks)
        await prove()
        for _task in tasks:
            assert (await send()).reused

    with Loopback([0.1, sized(b"x")]) as server:
        with_pool(server, main)
        assert server.accepted == 3


@pytest.mark.parametrize("ending", ["fin", "rst"])
def test_stale_connection_is_dropped(ending: str) -> None:
    """A connection that the server ended while idle is not used again, whether or not the loop had time to notice."""
    for pause in (0.1, None):

        async def main(send: Send, pool: Pool, pause: float | None = pause) -> None:
            await send()
            if pause is not None:
                await asyncio.sleep(0.05 + pause)
                assert pool._open == {}, "noticed while idle"
            else:
                server._threads[-1].join(3)  # the loop is blocked, so that it cannot notice
            second = await send()
            assert (second.reused, second.failure, second.body) == (False, None, b"x")

        with Loopback([sized(b"x"), 0.05, ending]) as server:  # type: ignore[list-item]
            with_pool(server, main)
            assert server.accepted == 2


@pytest.mark.parametrize(
    "script",
    [
        [sized(b"x", "200 OK", "connection: close")],
        [sized(b"x") + b"leftover"],
        [b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx"],
        [b"HTTP/1.1 200 OK\r\n\r\nx", "fin"],
    ],
    ids=["connection-close", "leftover", "http-1.0", "close-delimited"],
)
def test_unfit_connection_is_not_reused(script: list[bytes]) -> None:
    """A connection that was announced closed, or holds bytes nobody asked for, carries nothing more."""

    async def main(send: Send, pool: Pool) -> None:
        for _ in range(2):
            exchange = await send()
            assert (exchange.reused, exchange.body, exchange.failure) == (False, b"x", None)

    with Loopback(script) as server:
        with_pool(server, main)
        assert server.accepted == 2


@pytest.mark.parametrize("ending", ["fin", "rst"])
def test_kept_connection_that_dies_under_a_request(ending: str) -> None:
    """No hidden retry: the failure says that a kept connection gave no byte."""

    async def main(send: Send, pool: Pool) -> None:
        await send()
        await prove()
        exchange = await send()
        assert exchange.reused
        assert exchange.failure is not None
        assert exchange.failure.kind == "reset"
        assert "kept connection" in exchange.failure.detail

    with Loopback([sized(b"x")], [0.05, ending]) as server:  # type: ignore[list-item]
        with_pool(server, main)
        assert len(server.requests) == 2


def test_a_server_that_hangs_up_after_each_answer_gets_a_new_connection_each_time() -> None:
    """No request ever races a server that announces keep-alive and closes: it is not trusted until it kept one open."""

    async def main(send: Send, pool: Pool) -> None:
        await send()
        for _ in range(3):
            exchange = await send()
            assert (exchange.reused, exchange.failure) == (False, None)

    with Loopback([sized(b"x"), "fin"]) as server:
        with_pool(server, main)
        assert server.accepted == 4


def test_origins_are_apart() -> None:
    """A connection to one origin never carries a request for another."""

    async def main() -> None:
        pool = Pool()
        for server in (one, two, one):
            await prove()
            await pool.send(Origin("http", "127.0.0.1", server.port), GET, b"", Deadlines(total_s=5))
        await pool.aclose()

    with Loopback([sized(b"1")]) as one, Loopback([sized(b"2")]) as two:
        run(main())
    assert (one.accepted, two.accepted) == (1, 1)


def test_closing_the_pool_ends_what_is_under_way() -> None:
    """Closing the pool closes idle connections, ends busy exchanges as cancelled, and may be done twice."""

    async def main(send: Send, pool: Pool) -> None:
        task = asyncio.ensure_future(send())
        assert await asyncio.to_thread(server.asked.wait, 3)
        await pool.aclose()
        exchange = await task
        assert exchange.failure is not None
        assert exchange.failure.kind == "cancelled"

    with Loopback(["wait"]) as server:
        with_pool(server, main)
        assert server.gone.wait(3)


def cancelled(exchange: Exchange) -> bool:
    """Whether it ended as the abort of these tests says."""
    return (exchange.failure and (exchange.failure.kind, exchange.failure.detail)) == ("cancelled", "enough")


def test_abort_keeps_what_had_come() -> None:
    """An aborted exchange is recorded as cancelled with its marks and reads; the pool goes on."""

    async def main(send: Send, pool: Pool) -> None:
        tasks = [asyncio.ensure_future(send()) for _ in range(3)]
        await asyncio.sleep(0.15)
        pool.abort("enough")
        for task in tasks:
            exchange = await task
            assert cancelled(exchange)
            assert (exchange.status, exchange.body, exchange.marks.eof_ns) == (200, b"part", None)
            assert exchange.marks.conn_ns
            assert exchange.marks.send0_ns
            assert exchange.marks.hdr_ns
        assert (await send()).body == b"next"

    part: list[Any] = [CHUNKED, chunk(b"part"), "wait"]
    with Loopback(part, part, part, [sized(b"next")]) as server:
        with_pool(server, main)


def test_abort_ends_what_is_still_connecting() -> None:
    """An exchange that waits for TCP, or for a TLS handshake, ends as cancelled at once, with the marks so far."""

    async def main(scheme: str, listening: socket.socket) -> None:
        pool, loop = Pool(), asyncio.get_running_loop()
        origin = Origin(scheme, "127.0.0.1", listening.getsockname()[1])
        task = asyncio.ensure_future(pool.send(origin, GET, b"", Deadlines()))
        if scheme == "https":
            peer, _ = await loop.sock_accept(listening)
            stack.callback(peer.close)
            assert await loop.sock_recv(peer, 1)  # the handshake has begun
        else:
            await asyncio.sleep(0.05)
        begin = time.perf_counter()
        pool.abort("enough")
        exchange = await task
        assert time.perf_counter() - begin < 1
        await pool.aclose()
        assert cancelled(exchange)
        assert exchange.marks.dns_ns is not None
        assert (exchange.marks.conn_ns is not None) == (scheme == "https")
        assert exchange.marks.send0_ns is None
        assert pool._open == {}

    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        silent.setblocking(False)
        run(main("https", silent))
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        run(main("http", full))
    gc.collect()


def test_abort_as_the_connection_comes_up() -> None:
    """No exchange slips through between the end of connecting and the sending."""

    async def main(send: Send, pool: Pool) -> None:
        for turns in range(6):
            task = asyncio.ensure_future(send())
            for _ in range(turns):
                await asyncio.sleep(0)
            pool.abort("enough")
            exchange = await task
            assert cancelled(exchange) or turns == 0, turns
            assert all(not connection.busy for connection in pool._open)

    with Loopback([0.1, sized(b"x")]) as server:
        with_pool(server, main)


def test_prewarmed_connections_carry_the_first_requests() -> None:
    """Connections made ahead are all used before another one is made, without waiting for any proof."""

    async def main(send: Send, pool: Pool) -> None:
        origin = Origin("http", "127.0.0.1", server.port)
        assert await pool.prewarm(origin, 5, Deadlines(), at_once=2) == 5
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send()) for _ in range(6)]
        assert sorted(task.result().reused for task in tasks) == [False, *[True] * 5]
        assert {task.result().failure for task in tasks} == {None}

    with Loopback([0.1, sized(b"x")]) as server:
        with_pool(server, main)
        assert server.accepted == 6


def test_prewarming_is_paced() -> None:
    """Never more than so many connections are under way."""
    most = 0

    async def main(send: Send, pool: Pool) -> None:
        nonlocal most
        task = asyncio.ensure_future(pool.prewarm(Origin("http", "127.0.0.1", server.port), 20, Deadlines(), at_once=3))
        while not task.done():
            most = max(most, len(pool._dials))
            await asyncio.sleep(0)
        assert await task == 20

    with Loopback([sized(b"x")]) as server:
        with_pool(server, main)
    assert most == 3


def test_prewarming_where_nobody_listens() -> None:
    """What cannot be reached gives no connections, soon and without an error."""

    async def main() -> None:
        pool = Pool()
        for host in ("127.0.0.1", "gone.invalid"):
            assert await pool.prewarm(Origin("https", host, 1), 100, Deadlines()) == 0
        await pool.aclose()

    run(main())


def test_prewarmed_connections_to_a_server_that_hangs_up() -> None:
    """A server that keeps nothing after an answer is not raced, however many connections it left open before one."""

    async def main(send: Send, pool: Pool) -> None:
        origin = Origin("http", "127.0.0.1", server.port)
        assert await pool.prewarm(origin, 3, Deadlines()) == 3
        await prove()
        for number in range(6):
            exchange = await send()
            assert (exchange.failure, exchange.reused) == (None, number < 3)

    with Loopback([sized(b"x"), "fin"]) as server:
        with_pool(server, main)
        assert server.accepted == 6


def test_prewarmed_connections_that_died() -> None:
    """A connection that its server ended before its first use is not used, and says nothing about kept ones."""

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            origin = Origin("http", "127.0.0.1", listener.getsockname()[1])
            pool = Pool()
            assert await pool.prewarm(origin, 2, Deadlines()) == 2
            for _ in range(2):
                listener.accept()[0].close()
            await asyncio.sleep(0.05)
            assert pool._open == {}
            assert not pool._homes[origin].unkept
            await pool.aclose()

    run(main())


def test_no_socket_is_left() -> None:
    """After failures of every kind and aclose no socket is left open: an unclosed one warns when it is collected."""

    async def main() -> None:
        pool = Pool()
        for host, port in (("127.0.0.1", server.port), ("127.0.0.1", 1), ("gone.invalid", 80)):
            for _ in range(3):
                exchange = await pool.send(Origin("http", host, port), GET, b"", Deadlines(first_byte_s=0.05))
                assert exchange.failure is not None
        await pool.aclose()
        assert pool._open == {}

    with Loopback(["wait"], ["fin"], [b"junk", "wait"]) as server:
        run(main())
    gc.collect()
