"""Kept connections by origin, and the one way to send a request."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping

from harness.exchange import Exchange
from harness.provider import Deadlines
from harness.wire.clock import KernelClock, stamp
from harness.wire.connection import Connection
from harness.wire.deadline import Wheel
from harness.wire.dial import Dial
from harness.wire.fault import Fault
from harness.wire.origin import Origin
from harness.wire.proxy import Proxy, absolute, environment, proxy_for
from harness.wire.tls import Tls, default_context
from harness.wire.trace import Trace

__all__ = ["Origin", "Pool"]

PROOF_NS = 20_000_000
"""A connection that its server left open so long after an answer proves that the server keeps connections."""
_KEPT_AT_LEAST_NS = 1_000_000_000
"""A connection that its server closed sooner proves that it does not."""
_PROXY_REFUSED = 407


class _Home:
    """What is known of one origin."""

    __slots__ = ("fresh", "idle", "proven", "proxy", "unkept")

    def __init__(self, proxy: Proxy | None) -> None:
        self.proxy = proxy
        self.idle: dict[Connection, None] = {}
        """Kept after an answer, the last used one last."""
        self.fresh: dict[Connection, None] = {}
        """Made ahead of need, not used yet."""
        self.proven = False
        self.unkept = False


class Pool:
    """Sends requests over own sockets, the last used kept connection first; any number at once.

    Some servers announce keep-alive and hang up right after the answer. So a connection is used again only once its
    origin was seen to leave one open, and never for an origin that was seen to hang up within a second.
    Belongs to the event loop it first sends on. ``ssl_context`` replaces the verifying default of the platform,
    ``proxies`` (scheme, ``all`` or ``no`` -> value) those of the environment.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, proxies: Mapping[str, str] | None = None) -> None:
        self._ssl_context = ssl_context
        self._proxies = environment() if proxies is None else proxies
        self._homes: dict[Origin, _Home] = {}
        self._open: dict[Connection, _Home] = {}
        self._dials: set[Dial] = set()
        self._clock = KernelClock()
        self._wheel: Wheel | None = None
        self._stamper: socket.socket | None = None

    async def send(
        self, origin: Origin, head: bytes, body: bytes, deadlines: Deadlines, *, decode: bool = False
    ) -> Exchange:
        """One request and its response; ``head`` ends with the empty line, ``decode`` says that it asks for gzip.

        Whatever name server, network or peer do is in ``Exchange.failure``; there is no hidden retry.
        Cancellation closes the connection at once and goes on. ConfigError for a proxy that we do not speak to.
        """
        trace = Trace(started_ns=time.perf_counter_ns())
        home = self._homes.get(origin) or self._home(origin)
        connection = self._kept(home)
        first_use = True
        if connection is None:
            try:
                connection = await self._dial(origin, home, deadlines, trace)
            except Fault as found:
                return trace.freeze(found.failure(None))
        else:
            trace.reused = True
            first_use = not connection.exchanges
        if home.proxy is not None and origin.scheme == "http":
            head = absolute(head, origin, home.proxy)
        fault = await connection.exchange(head + body, deadlines, trace, decode=decode)
        if fault is not None:
            if not first_use and trace.status is None and fault.kind == "reset":
                home.unkept = True
        elif home.proxy is not None and trace.status == _PROXY_REFUSED:
            fault = Fault("connect", f"proxy {home.proxy.origin.address} answered 407: it wants other credentials")
        if not connection.closed:
            self._keep(home, connection)
        return trace.freeze(fault.failure(trace.status) if fault is not None else None)

    async def prewarm(self, origin: Origin, n: int, deadlines: Deadlines, *, at_once: int = 32) -> int:
        """Connect ``n`` times, ``at_once`` under way at a time, and keep the connections; how many of them stand.

        Never raises for what peers do; what fails is not tried again. Each is used for one request without further
        proof; whether its server keeps it after an answer has to show as for any other.
        """
        home = self._homes.get(origin) or self._home(origin)
        left = n
        made: list[Connection] = []

        async def some() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                try:
                    connection = await self._dial(origin, home, deadlines, Trace(started_ns=time.perf_counter_ns()))
                except Fault:
                    return
                home.fresh[connection] = None
                made.append(connection)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(n, at_once)):
                group.create_task(some())
        return sum(connection.check_idle() for connection in made if connection in home.fresh)

    def abort(self, detail: str) -> None:
        """End every exchange under way, those still connecting too, as ``cancelled``; marks and reads are kept."""
        fault = Fault("cancelled", detail)
        for dial in self._dials:
            dial.abort(fault)
        for connection in list(self._open):
            if connection.busy:
                connection.abort(fault)

    async def aclose(self) -> None:
        """Close every connection; exchanges under way end with the failure ``cancelled``."""
        self.abort("the connection pool was closed")
        for connection in list(self._open):
            connection.close()
        if self._wheel is not None:
            self._wheel.close()
            self._wheel = None
        if self._stamper is not None:
            self._stamper.close()
            self._stamper = None

    def check(self, origin: Origin) -> None:
        """ConfigError if there is a proxy on the way to ``origin`` that we do not speak to."""
        proxy_for(origin, self._proxies)

    def _home(self, origin: Origin) -> _Home:
        home = self._homes[origin] = _Home(proxy_for(origin, self._proxies))
        return home

    def _keep(self, home: _Home, connection: Connection) -> None:
        if home.unkept:
            connection.close()
        else:
            connection.idle_since_ns = time.perf_counter_ns()
            home.idle[connection] = None

    def _kept(self, home: _Home) -> Connection | None:
        idle = home.idle
        while idle:
            if home.proven:
                connection, _ = idle.popitem()  # not by looking at the end of the dict, which walks over its gaps
            else:
                connection = next(iter(idle))
                if time.perf_counter_ns() - (connection.idle_since_ns or 0) < PROOF_NS:
                    break
                del idle[connection]
            if connection.check_idle():
                home.proven = True
                return connection
        while home.fresh:
            connection, _ = home.fresh.popitem()
            if connection.check_idle():
                return connection
        return None

    async def _dial(self, origin: Origin, home: _Home, deadlines: Deadlines, trace: Trace) -> Connection:
        if self._stamper is None:
            # The kernel starts stamping a moment after the first socket that wants it and stops after the last:
            # one that stays open keeps the first reads of later connections from being without a stamp.
            self._stamper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            stamp(self._stamper)
        if self._wheel is None:
            self._wheel = Wheel(asyncio.get_running_loop())
        tls: Tls | None = None
        if origin.scheme == "https":
            if self._ssl_context is None:
                self._ssl_context = default_context()
            tls = Tls(self._ssl_context, origin.host)
        dial = Dial()
        self._dials.add(dial)
        try:
            sock, remote = await dial.connect(origin, tls, deadlines, trace, home.proxy)
        finally:
            self._dials.discard(dial)
        connection = Connection(sock, tls, self._clock, self._wheel, remote=remote, on_close=self._forget)
        self._open[connection] = home
        return connection

    def _forget(self, connection: Connection) -> None:
        home = self._open.pop(connection, None)
        if home is None:
            return
        home.fresh.pop(connection, None)
        home.idle.pop(connection, None)
        since_ns = connection.idle_since_ns
        if since_ns is not None and time.perf_counter_ns() - since_ns < _KEPT_AT_LEAST_NS:
            home.unkept = True
