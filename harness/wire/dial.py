"""Getting connected: name, address, TCP, proxy, TLS; each step leaves its mark in the trace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from itertools import chain, zip_longest
from typing import Any

from harness.exchange import FailureKind
from harness.provider import Deadlines
from harness.wire.clock import stamp
from harness.wire.fault import Fault
from harness.wire.origin import Origin
from harness.wire.proxy import Proxy, tunnel
from harness.wire.tls import Tls
from harness.wire.trace import Trace

_HANDSHAKE_READ = 16384
_STAGGER_S = 0.25
"""Head start of one address before the next is tried too. Source: RFC 8305 section 5, Connection Attempt Delay."""

_Address = tuple[Any, ...]
"""As ``getaddrinfo`` gives it: family, type, protocol, canonical name, address."""


class Dial:
    """One connection on its way; it can be ended from outside with a fault, and keeps its marks."""

    __slots__ = ("_clock", "fault")

    def __init__(self) -> None:
        self.fault: Fault | None = None
        """Why it was ended from outside."""
        self._clock: asyncio.Timeout | None = None

    def abort(self, fault: Fault) -> None:
        """End it with ``fault`` at the next turn of the loop."""
        self.fault = fault
        if self._clock is not None:
            with contextlib.suppress(RuntimeError):  # it is just ending by itself
                self._clock.reschedule(asyncio.get_running_loop().time())

    async def connect(
        self, origin: Origin, tls: Tls | None, deadlines: Deadlines, trace: Trace, proxy: Proxy | None
    ) -> tuple[socket.socket, str]:
        """A connected non-blocking socket, stamped by the kernel where it can, and the ``address:port`` it leads to.

        ``tls`` is a fresh session, which is shaken hands on; None: plain. ``proxy`` is on the way; None: there is none.
        Raises Fault. Cancellation closes the socket.
        """
        kind: FailureKind = "timeout_connect"
        limit_s, name = deadlines.connect_s, "connect_s"
        if deadlines.total_s < limit_s:
            kind, limit_s, name = "timeout_total", deadlines.total_s, "total_s"
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(limit_s) as self._clock:
                sock = await self._reach(origin, trace, proxy)
                if tls is not None:
                    await _shake_hands(sock, tls)
                    trace.tls_ns = time.perf_counter_ns()
                    trace.tls_version = tls.version
                if self.fault is not None:
                    raise self.fault
                assert trace.remote is not None
                return sock, trace.remote
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, TimeoutError):
                raise
            raise self.fault or Fault(kind, f"{_step(trace, proxy)} within {limit_s:g} s ({name})") from error

    async def _reach(self, origin: Origin, trace: Trace, proxy: Proxy | None) -> socket.socket:
        """A TCP connection to the origin, through the proxy where there is one."""
        if proxy is None:
            addresses = await _resolve(origin)
            trace.dns_ns = time.perf_counter_ns()
            sock, trace.remote = await _first(addresses)
            trace.conn_ns = time.perf_counter_ns()
            return sock
        where = proxy.origin.address
        try:
            addresses = await _resolve(proxy.origin)
            trace.dns_ns = time.perf_counter_ns()
            sock, trace.remote = await _first(addresses)
        except Fault as fault:
            kind: FailureKind = "connect" if fault.kind == "dns" else fault.kind
            raise Fault(kind, f"proxy {where} cannot be reached: {fault.detail}") from fault
        try:
            if origin.scheme == "https":
                await tunnel(sock, origin, proxy)
        except OSError as error:
            sock.close()
            raise Fault("connect", f"proxy {where}: {error.strerror or error}") from error
        except BaseException:
            sock.close()
            raise
        trace.conn_ns = time.perf_counter_ns()
        return sock


def _step(trace: Trace, proxy: Proxy | None) -> str:
    """What was not done in time."""
    if trace.conn_ns is not None:
        return "TLS handshake not done"
    if proxy is not None:
        return f"no connection through the proxy {proxy.origin.address}"
    return "name not resolved" if trace.dns_ns is None else "no TCP connection"


async def _resolve(origin: Origin) -> list[_Address]:
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


def interleaved(addresses: list[_Address]) -> list[_Address]:
    """Address families in turn, the resolver's first choice first. Source: RFC 8305 section 4."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    other = [one for one in addresses if one[0] != addresses[0][0]]
    return [one for one in chain.from_iterable(zip_longest(first, other)) if one is not None]


async def _first(addresses: list[_Address]) -> tuple[socket.socket, str]:
    """Connect to whichever address answers first; each has a head start before the next one.

    Raises the Fault of the last one when none answers.
    """
    if not addresses:
        raise Fault("dns", "name has no address")
    if len(addresses) == 1:
        return await _connect(addresses[0])
    left = interleaved(addresses)[::-1]
    fault = Fault("dns", "name has no address")
    trying: set[asyncio.Task[tuple[socket.socket, str]]] = set()
    try:
        while left or trying:
            if left:
                trying.add(asyncio.ensure_future(_connect(left.pop())))
            timeout_s = _STAGGER_S if left else None
            done, _ = await asyncio.wait(trying, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                trying.discard(task)
                try:
                    found = task.result()
                except Fault as failed:
                    fault = failed
                else:
                    trying |= done - {task}
                    return found
        raise fault
    finally:
        for task in trying:
            task.add_done_callback(_close_late)
            task.cancel()


def _close_late(task: asyncio.Task[tuple[socket.socket, str]]) -> None:
    """Close what lost the race."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].close()


async def _connect(found: _Address) -> tuple[socket.socket, str]:
    """A TCP connection to one address."""
    family, kind, protocol, _, address = found
    remote = f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        detail = f"cannot open a socket: {error.strerror} (is `ulimit -n` too low?)"
        raise Fault("harness", detail) from error
    try:
        stamp(sock)
        sock.setblocking(False)  # noqa: FBT003 - positional only
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except OSError as error:
        sock.close()
        # The loop puts a sentence of its own where the system's reason belongs.
        raise Fault("connect", f"{remote}: {os.strerror(error.errno) if error.errno else error}") from error
    except BaseException:
        sock.close()
        raise
    return sock, remote


async def _shake_hands(sock: socket.socket, tls: Tls) -> None:
    """TLS handshake over a connected socket."""
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
        raise Fault("reset", f"{error.strerror or error} during the TLS handshake") from error
