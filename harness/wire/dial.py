"""Getting connected: name, address, TCP, TLS; each step leaves its mark in the trace."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import Any, NamedTuple

from harness.types import Deadlines, FailureKind
from harness.wire.clock import stamp
from harness.wire.fault import Fault
from harness.wire.tls import Tls
from harness.wire.trace import Trace

_HANDSHAKE_READ = 16384


class Origin(NamedTuple):
    """What one connection can serve."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """Name or address as in the URL, IPv6 without brackets."""
    port: int


async def dial(origin: Origin, tls: Tls | None, deadlines: Deadlines, trace: Trace) -> tuple[socket.socket, str]:
    """A connected non-blocking socket, stamped by the kernel where it can, and its ``address:port``.

    ``tls`` is a fresh session, which is shaken hands on; None: plain. Raises Fault. Cancellation closes the socket.
    """
    kind: FailureKind = "timeout_connect"
    limit_s, name = deadlines.connect_s, "connect_s"
    if deadlines.total_s < limit_s:
        kind, limit_s, name = "timeout_total", deadlines.total_s, "total_s"
    try:
        async with asyncio.timeout(limit_s):
            addresses = await _resolve(origin)
            trace.dns_ns = time.perf_counter_ns()
            sock, trace.remote = await _connect(addresses)
            trace.conn_ns = time.perf_counter_ns()
            if tls is not None:
                await _shake_hands(sock, tls)
                trace.tls_ns = time.perf_counter_ns()
                trace.tls_version = tls.version
            return sock, trace.remote
    except TimeoutError as error:
        step = "name not resolved" if trace.dns_ns is None else "no TCP connection"
        if trace.conn_ns is not None:
            step = "TLS handshake not done"
        raise Fault(kind, f"{step} within {limit_s:g} s ({name})") from error


async def _resolve(origin: Origin) -> list[tuple[Any, ...]]:
    """Addresses in the resolver's order; an address written as numbers costs no thread and no network."""
    if origin.host.rstrip(".").lower().endswith(".invalid"):
        # Source: RFC 6761 section 6.4: such names never exist, and a resolver without a network would make us wait.
        raise Fault("dns", f"{origin.host}: names under .invalid never exist")
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        return list(socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM, flags=numeric))
    except (socket.gaierror, UnicodeError):
        pass  # a name, not an address
    loop = asyncio.get_running_loop()
    try:
        return list(await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM))
    except socket.gaierror as error:
        raise Fault("dns", f"{origin.host}: {error.strerror}") from error
    except UnicodeError as error:
        raise Fault("dns", f"{origin.host[:80]}: not a host name") from error


async def _connect(addresses: list[tuple[Any, ...]]) -> tuple[socket.socket, str]:
    """Try the addresses in order; the last one's fault is told."""
    fault = Fault("dns", "name has no address")
    for family, kind, protocol, _, address in addresses:
        remote = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            fault = Fault("harness", f"cannot open a socket: {error.strerror} (is `ulimit -n` too low?)")
            continue
        try:
            stamp(sock)
            sock.setblocking(False)  # noqa: FBT003 - positional only
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as error:
            sock.close()
            # The loop puts a sentence of its own where the system's reason belongs.
            fault = Fault("connect", f"{remote}: {os.strerror(error.errno) if error.errno else error}")
        except BaseException:
            sock.close()
            raise
        else:
            return sock, remote
    raise fault


async def _shake_hands(sock: socket.socket, tls: Tls) -> None:
    """TLS handshake over a connected socket, which is closed if it fails."""
    loop = asyncio.get_running_loop()
    data = b""
    try:
        while True:
            try:
                done = tls.handshake(data)
            finally:
                if records := tls.pending():  # our part, or the alert that says why we refuse
                    await loop.sock_sendall(sock, records)
            if done:
                return
            data = await loop.sock_recv(sock, _HANDSHAKE_READ)
            if not data:
                raise Fault("tls", "server closed the connection during the TLS handshake")
    except OSError as error:
        sock.close()
        raise Fault("reset", f"{error.strerror or error} during the TLS handshake") from error
    except BaseException:
        sock.close()
        raise
