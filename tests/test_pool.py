"""Keeping connections."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from loopback import CHUNKED, LAST_CHUNK, Loopback, chunk, sized

from harness.types import Deadlines, Exchange
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
