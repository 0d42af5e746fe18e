"""What is known so far about one exchange; it is frozen into an ``Exchange`` at the end, however that comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from harness.exchange import Clock, Exchange, Failure, Read, WireMarks

_read = partial(tuple.__new__, Read)
"""Turns a pair into a Read without a Python call: there is one for each read of every stream."""


@dataclass(slots=True)
class Trace:
    """Growing record of one exchange; marks are monotonic nanoseconds, None: did not happen."""

    started_ns: int
    """When the pool was asked; the total deadline counts from here."""
    dns_ns: int | None = None
    conn_ns: int | None = None
    tls_ns: int | None = None
    send0_ns: int | None = None
    send1_ns: int | None = None
    hdr_ns: int | None = None
    eof_ns: int | None = None
    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    reads: list[tuple[int, bytes]] = field(default_factory=list)
    """Plain pairs while the clock is running."""
    reused: bool = False
    coalesced_reads: int = 0
    tls_version: str | None = None
    remote: str | None = None
    kernel_reads: int = 0
    user_reads: int = 0
    lag_max_ns: int = 0

    def freeze(self, failure: Failure | None) -> Exchange:
        """The record that is kept."""
        clock: Clock = "user"
        if self.kernel_reads:
            clock = "mixed" if self.user_reads else "kernel"
        return Exchange(
            marks=WireMarks(
                dns_ns=self.dns_ns,
                conn_ns=self.conn_ns,
                tls_ns=self.tls_ns,
                send0_ns=self.send0_ns,
                send1_ns=self.send1_ns,
                hdr_ns=self.hdr_ns,
                eof_ns=self.eof_ns,
            ),
            status=self.status,
            headers=tuple(self.headers),
            reads=tuple(map(_read, self.reads)),
            clock=clock,
            reused=self.reused,
            failure=failure,
            coalesced_reads=self.coalesced_reads,
            lag_max_ns=self.lag_max_ns if self.kernel_reads else None,
            tls_version=self.tls_version,
            remote=self.remote,
        )
