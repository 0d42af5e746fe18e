"""Racing the addresses of one name."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from loopback import Loopback, sized

from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.wire import dial
from harness.wire.fault import Fault
from harness.wire.loop import run
from harness.wire.origin import Origin
from harness.wire.pool import Pool

V4, V6 = socket.AF_INET, socket.AF_INET6


def address(host: str, port: int) -> tuple[Any, ...]:
    """As the resolver gives it."""
    family = V6 if ":" in host else V4
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0) if family == V6 else (host, port))


def connected(addresses: list[tuple[Any, ...]]) -> tuple[str, float]:
    """Who was reached, and after how many seconds."""

    async def main() -> tuple[str, float]:
        begin = time.perf_counter()
        sock, remote = await dial._first(addresses)
        took = time.perf_counter() - begin
        sock.close()
        return remote, took

    found = run(main())
    gc.collect()  # a socket that lost the race and was left open would warn now
    return found


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose listener takes nobody in: connecting there neither works nor fails."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def refusing() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_families_take_turns() -> None:
    """The resolver's first choice comes first, then the other family, and none is lost."""
    hosts = ["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]
    found = [one[4][0] for one in dial.interleaved([address(host, 1) for host in hosts])]
    assert found == ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]


def test_an_address_that_refuses_costs_no_time() -> None:
    """After a refusal the next address is tried at once."""
    with Loopback([sized(b"x")]) as server:
        remote, took = connected([address("127.0.0.1", refusing())] * 3 + [address("127.0.0.1", server.port)])
    assert remote == f"127.0.0.1:{server.port}"
    assert took < 3 * dial._STAGGER_S, "each refusal would have cost a head start"


def test_an_address_that_is_silent_is_overtaken(silent: int) -> None:
    """Silence holds us for the head start alone, and whoever connects first wins."""
    with Loopback([sized(b"x")]) as server:
        remote, took = connected([address("127.0.0.1", silent), address("127.0.0.1", server.port)])
        assert (remote, took >= 0.2) == (f"127.0.0.1:{server.port}", True)
        remote, _ = connected([address("127.0.0.1", server.port), address("127.0.0.1", silent)])
        assert remote == f"127.0.0.1:{server.port}"


def test_nobody_answers() -> None:
    """When every address refuses, the last one's reason is told."""
    ports = [refusing(), refusing()]
    with pytest.raises(Fault, match=f":{ports[1]}") as caught:
        connected([address("127.0.0.1", port) for port in ports])
    assert caught.value.kind == "connect"


def test_a_race_that_is_called_off(silent: int) -> None:
    """Cancelling closes every socket of the race."""

    async def main() -> None:
        task = asyncio.ensure_future(dial._first([address("127.0.0.1", silent)] * 3))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    gc.collect()


def test_both_families_of_localhost() -> None:
    """A name with addresses of both families reaches a server that listens on one of them, here on ::1."""
    try:
        listener = socket.create_server(("::1", 0), family=V6)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")

    async def main() -> Exchange:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sized(b"six"))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, sock=listener)
        port = listener.getsockname()[1]
        sock, remote = await dial._first([address("127.0.0.1", port), address("::1", port)])
        sock.close()
        assert remote == f"[::1]:{port}"
        pool = Pool()
        exchange = await pool.send(Origin("http", "::1", port), b"GET / HTTP/1.1\r\n\r\n", b"", Deadlines(total_s=5))
        await pool.aclose()
        server.close()
        await server.wait_closed()
        return exchange

    exchange = run(main())
    assert (exchange.body, exchange.failure) == (b"six", None)
    assert exchange.remote is not None
    assert exchange.remote.startswith("[::1]:")
