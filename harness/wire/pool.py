"""Kept connections by origin, and the one way to send a request."""

from __future__ import annotations

import socket
import ssl
import time

from harness.types import Deadlines, Exchange
from harness.wire.clock import KernelClock, stamp
from harness.wire.connection import Connection
from harness.wire.dial import Origin, dial
from harness.wire.fault import Fault
from harness.wire.tls import Tls, default_context
from harness.wire.trace import Trace

__all__ = ["Origin", "Pool"]

PROOF_NS = 20_000_000
"""A connection that its server left open so long while idle proves that the server keeps connections."""
_KEPT_AT_LEAST_NS = 1_000_000_000
"""A connection that its server closed sooner proves that it does not."""


class Pool:
    """Sends requests over own sockets, the last used kept connection first; any number at once.

    Some servers announce keep-alive and hang up right after the answer. So a connection is used again only once its
    origin was seen to leave one open, and never for an origin that was seen to hang up within a second.
    Belongs to the event loop it first sends on. ``ssl_context`` replaces the verifying default of the platform.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._idle: dict[Origin, dict[Connection, int]] = {}  # with the time since when, the last used one last
        self._proven: set[Origin] = set()
        self._unkept: set[Origin] = set()
        self._open: dict[Connection, Origin] = {}
        self._clock = KernelClock()
        self._stamper: socket.socket | None = None

    async def send(self, origin: Origin, head: bytes, body: bytes, deadlines: Deadlines) -> Exchange:
        """One request and its response; ``head`` ends with the empty line.

        Whatever name server, network or peer do is in ``Exchange.failure``; there is no hidden retry.
        Cancellation closes the connection at once and goes on.
        """
        trace = Trace(started_ns=time.perf_counter_ns())
        try:
            connection = self._kept(origin)
            trace.reused = connection is not None
            if connection is None:
                connection = await self._dial(origin, deadlines, trace)
            fault = await connection.exchange(head + body, deadlines, trace)
        except Fault as found:
            return trace.freeze(found.failure(trace.status))
        if fault is not None and trace.reused and trace.status is None:
            self._unkept.add(origin)
        if not connection.closed:
            self._keep(origin, connection)
        return trace.freeze(fault.failure(trace.status) if fault is not None else None)

    async def aclose(self) -> None:
        """Close every connection; exchanges under way end with the failure ``cancelled``."""
        for connection in list(self._open):
            connection.abort(Fault("cancelled", "the connection pool was closed"))
        if self._stamper is not None:
            self._stamper.close()
            self._stamper = None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if origin in self._unkept:
            connection.close()
        else:
            self._idle.setdefault(origin, {})[connection] = time.perf_counter_ns()

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, {})
        while idle:
            proven = origin in self._proven
            connection = next(reversed(idle)) if proven else next(iter(idle))
            if not proven and time.perf_counter_ns() - idle[connection] < PROOF_NS:
                return None
            if connection.check_idle():  # one that is closed leaves by itself, through _forget
                del idle[connection]
                self._proven.add(origin)
                return connection
        return None

    async def _dial(self, origin: Origin, deadlines: Deadlines, trace: Trace) -> Connection:
        if self._stamper is None:
            # The kernel starts stamping a moment after the first socket that wants it and stops after the last:
            # one that stays open keeps the first reads of later connections from being without a stamp.
            self._stamper = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            stamp(self._stamper)
        tls: Tls | None = None
        if origin.scheme == "https":
            if self._ssl_context is None:
                self._ssl_context = default_context()
            tls = Tls(self._ssl_context, origin.host)
        sock, remote = await dial(origin, tls, deadlines, trace)
        connection = Connection(sock, tls, self._clock, remote=remote, on_close=self._forget)
        self._open[connection] = origin
        return connection

    def _forget(self, connection: Connection) -> None:
        origin = self._open.pop(connection, None)
        if origin is None:
            return
        since_ns = self._idle.get(origin, {}).pop(connection, None)
        if since_ns is not None and time.perf_counter_ns() - since_ns < _KEPT_AT_LEAST_NS:
            self._unkept.add(origin)
