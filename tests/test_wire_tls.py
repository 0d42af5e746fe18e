"""TLS over our own sockets: same stamps, same framing, and no trust without a reason."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from loopback import CHUNKED, LAST_CHUNK, Loopback, certificate, chunk, sized
from test_connection import PACED, PACED_SIZES, blocked, check_stamps

from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.wire import loop
from harness.wire.pool import PROOF_NS, Origin, Pool

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for a certificate")

HEAD = b"POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
QUICK = Deadlines(connect_s=5, first_byte_s=5, idle_s=5, total_s=10)


class Contexts(NamedTuple):
    """TLS settings of the server, and of a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """One self-signed certificate for the whole session."""
    cert, key = certificate(tmp_path_factory.mktemp("tls"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return Contexts(server, ssl.create_default_context(cafile=str(cert)))


@pytest.fixture(params=[loop.run, asyncio.run], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Both event loops."""
    chosen: Callable[[Coroutine[Any, Any, Any]], Any] = request.param
    return chosen


async def post(
    port: int,
    context: ssl.SSLContext | None,
    *,
    host: str = "127.0.0.1",
    body: bytes = b"{}",
    times: int = 1,
    deadlines: Deadlines = QUICK,
) -> list[Exchange]:
    """Requests one after another on a pool of their own."""
    pool = Pool(ssl_context=context)
    origin = Origin("https", host, port)
    try:
        exchanges = []
        for _ in range(times):
            exchanges.append(await pool.send(origin, HEAD % len(body) + body, b"", deadlines))
            await asyncio.sleep(1.5 * PROOF_NS / 1e9)  # left open so long, the connection may be used again
        return exchanges
    finally:
        await pool.aclose()


def test_exchange_and_reuse(run: Any, contexts: Contexts) -> None:
    """Requests and answers pass unchanged, the session is kept for the next request, and its version is told."""
    body = bytes(range(256)) * 4000
    with Loopback([CHUNKED, chunk(body), LAST_CHUNK], [0.05, sized(b"two")], tls=contexts.server) as server:
        first, second = run(post(server.port, contexts.client, host="localhost", body=body, times=2))
    assert (first.failure, second.failure) == (None, None)
    assert (first.body, second.body) == (body, b"two")
    assert server.requests[0] == HEAD % len(body) + body
    assert (first.tls_version, second.tls_version, second.reused) == ("TLSv1.3", "TLSv1.3", True)
    marks = first.marks
    assert (marks.conn_ns or 0) < (marks.tls_ns or 0) < (marks.send0_ns or 0)
    assert second.marks.tls_ns is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps TCP packets")
def test_kernel_stamps_while_the_loop_is_blocked(run: Any, contexts: Contexts) -> None:
    """Arrival times are the kernel's under TLS as well."""
    with Loopback(PACED, tls=contexts.server) as server:
        [exchange] = run(blocked(post(server.port, contexts.client)))
        check_stamps(exchange, server, PACED_SIZES)
    assert exchange.clock == "kernel"


def test_self_signed_is_refused(run: Any, contexts: Contexts) -> None:
    """By default a certificate that nobody vouches for is refused, no byte of the request is sent."""
    with Loopback([sized(b"x")], tls=contexts.server) as server:
        [exchange] = run(post(server.port, None))
    assert exchange.failure is not None
    assert exchange.failure.kind == "tls"
    assert "not trusted: self" in exchange.failure.detail
    assert exchange.marks.send0_ns is None
    assert exchange.marks.conn_ns is not None
    assert server.requests == []
    assert any("unknown ca" in error for error in server.tls_errors), "the server is told why"


def test_wrong_name(contexts: Contexts) -> None:
    """A trusted certificate for another name is refused."""
    with Loopback([sized(b"x")], tls=contexts.server) as server:
        [exchange] = loop.run(post(server.port, contexts.client, host="127.1"))
    assert exchange.failure is not None
    assert exchange.failure.kind == "tls"
    assert "127.1" in exchange.failure.detail


def test_plain_server(run: Any) -> None:
    """A server that does not speak TLS is told apart from one with a bad certificate."""
    with Loopback([sized(b"x")]) as server:
        [silent] = run(post(server.port, None, deadlines=Deadlines(connect_s=0.3)))
    assert silent.failure is not None
    assert silent.failure.kind == "timeout_connect", "it waits for the end of a request that never comes"
    assert "TLS handshake" in silent.failure.detail


def test_plain_answer_to_a_handshake() -> None:
    """Plain HTTP where a handshake was expected is a TLS failure with a hint."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(sized(b"x", "400 Bad Request"))
        await writer.drain()
        writer.close()

    async def main() -> Exchange:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return (await post(server.sockets[0].getsockname()[1], None))[0]

    exchange = loop.run(main())
    assert exchange.failure is not None
    assert exchange.failure.kind == "tls"
    assert "does the server speak TLS" in exchange.failure.detail


@pytest.mark.parametrize(
    ("script", "kind", "body"),
    [
        ([CHUNKED, chunk(b"part"), 0.03, "fin"], "truncated", b"part"),
        ([CHUNKED, chunk(b"part"), 0.03, "rst"], "reset", b"part"),
        ([CHUNKED, chunk(b"part"), "wait"], "timeout_idle", b"part"),
        ([b"garbage", "wait"], "bad_http", b""),
    ],
)
def test_faults(run: Any, contexts: Contexts, script: Any, kind: str, body: bytes) -> None:
    """Faults under TLS are those without it."""
    with Loopback(script, tls=contexts.server) as server:
        [exchange] = run(post(server.port, contexts.client, deadlines=Deadlines(idle_s=0.2)))
    assert exchange.failure is not None
    assert (exchange.failure.kind, exchange.body) == (kind, body)


def test_stale_session_is_dropped(contexts: Contexts) -> None:
    """A kept session that the server ended is not used again; tickets that arrive while idle do not end it."""
    with Loopback([sized(b"x"), "fin"], tls=contexts.server) as server:

        async def main() -> list[Exchange]:
            pool = Pool(ssl_context=contexts.client)
            origin = Origin("https", "127.0.0.1", server.port)
            found = []
            for _ in range(2):
                found.append(await pool.send(origin, HEAD % 0, b"", QUICK))
                await asyncio.sleep(0.1)
            await pool.aclose()
            return found

        first, second = loop.run(main())
    assert (first.failure, second.failure, second.reused) == (None, None, False)


def test_tls12(tmp_path: Path) -> None:
    """An older TLS that the platform still allows works too."""
    cert, key = certificate(tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(cert, key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Loopback([sized(b"x")], tls=old) as server:
        [exchange] = loop.run(post(server.port, ssl.create_default_context(cafile=str(cert))))
    assert (exchange.failure, exchange.body, exchange.tls_version) == (None, b"x", "TLSv1.2")
