"""One TCP or TLS connection of our own, read with ``recvmsg`` so that every read carries its arrival time.

Order at each read: bytes and stamp first, then framing, then the next read; no body is interpreted here.
A read of TLS bytes has the arrival of the packet that completed the record. The end of a connection has no
stamp of the kernel, so ``eof_ns`` of a close-delimited body is the time right after the read.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from harness.types import Deadlines, FailureKind, Read
from harness.wire.clock import CONTROL_SIZE, Arrival, KernelClock, stamp_of
from harness.wire.fault import Fault
from harness.wire.response import Response
from harness.wire.tls import Tls
from harness.wire.trace import Trace

READ_SIZE = 65536
_RETRY_S = 0.001
"""Shortest time to the next look at the deadlines; event loops round their timers to about this."""


class Connection:
    """A connected socket that carries one exchange after another; it closes itself when it is of no more use."""

    def __init__(
        self,
        sock: socket.socket,
        tls: Tls | None,
        clock: KernelClock,
        *,
        remote: str,
        on_close: Callable[[Connection], None],
    ) -> None:
        self.remote = remote
        self.tls_version = tls.version if tls is not None else None
        self.closed = False
        self._sock = sock
        self._tls = tls
        self._clock = clock
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._unsent = memoryview(b"")
        self._writing = False
        self._send_error: OSError | None = None
        """The server stopped taking our bytes; what it says about it may still be readable."""
        self._trace: Trace | None = None
        self._response = Response()
        self._deadlines = Deadlines()
        self._last_ns = 0
        self._floor_ns = 0
        self._waiter: asyncio.Future[Fault | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._readable)

    # --- for the pool ----------------------------------------------------------------------------------------

    async def exchange(self, payload: bytes, deadlines: Deadlines, trace: Trace) -> Fault | None:
        """Send one request and take in its response, all facts into ``trace``; the fault, if any, is returned.

        Afterwards the connection is either ``closed`` or may be used again. Cancellation closes it at once.
        """
        trace.remote, trace.tls_version = self.remote, self.tls_version
        if self._tls is not None:
            payload = self._tls.encrypt(payload)
        self._response = Response()
        self._deadlines = deadlines
        self._trace = trace
        self._unsent = memoryview(payload)
        self._waiter = self._loop.create_future()
        trace.send0_ns = self._last_ns = time.perf_counter_ns()
        if self._tls is None:
            self._floor_ns = trace.send0_ns  # under TLS session tickets may have come before we asked
        self._flush()
        self._arm(time.perf_counter_ns())
        try:
            return await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._trace = self._waiter = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def check_idle(self) -> bool:
        """Whether a kept connection is still good, with what the event loop has not told us yet looked up."""
        if not self.closed:
            self._readable()
        return not self.closed

    def abort(self, fault: Fault) -> None:
        """Close at once; an exchange under way ends with ``fault``."""
        self._finish(fault)
        self.close()

    def close(self) -> None:
        """Close the socket; may be called twice."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._stop_writing()
        self._sock.close()
        self._on_close(self)

    # --- sending ---------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Hand the kernel what it takes now, the rest when it is ready."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._sock, self._flush)
            return
        except OSError as error:
            # A server may refuse early and hang up: its answer is found by reading.
            self._send_error = error
            self._unsent = memoryview(b"")
        self._stop_writing()
        if self._trace is not None and self._trace.send1_ns is None and self._send_error is None:
            self._trace.send1_ns = time.perf_counter_ns()

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock)

    # --- receiving -------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """One read of the socket."""
        try:
            data, control, _, _ = self._sock.recvmsg(READ_SIZE, CONTROL_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broken(error)
            return
        arrival = self._clock.arrival(stamp_of(control), self._floor_ns)
        trace = self._trace
        if data:
            self._floor_ns = max(self._floor_ns, arrival.at_ns)
        closed = not data
        if self._tls is not None and data:
            try:
                data, closed = self._tls.decrypt(data)
            except Fault as fault:
                self._finish(fault)
                self.close()
                return
            self._answer_tls()
        if trace is None or self._response.complete:
            if data or closed:
                self.close()  # idle: the server hung up, or sent what nobody asked for
            return
        if data:
            trace.count(arrival)
            self._take(trace, data, arrival)
        if closed and not self._response.complete:
            self._ended(trace, arrival)

    def _take(self, trace: Trace, data: bytes, arrival: Arrival) -> None:
        """Note one read of response bytes."""
        response = self._response
        fault: Fault | None = None
        try:
            body = response.feed(data)
        except Fault as found:
            fault = found
            body = response.take()
        self._last_ns = arrival.now_ns
        if response.headers_done and trace.hdr_ns is None:
            trace.hdr_ns = arrival.at_ns
            trace.status = response.status
            trace.headers = response.headers
        if body:
            trace.reads.append(Read(arrival.at_ns, body))
            if len(trace.reads) == 1:
                self._arm(arrival.now_ns)  # the idle deadline may be nearer than the one we sleep for
            if response.chunks > 1:
                trace.coalesced_reads += 1
        if response.complete:
            trace.eof_ns = arrival.at_ns
        if response.complete or fault is not None:
            self._finish(fault)

    def _ended(self, trace: Trace, arrival: Arrival) -> None:
        """The server closed its side."""
        if self._send_error is not None:
            self._broken(self._send_error)  # a reset that sending met first; reading then sees a plain end
            return
        fault: Fault | None = None
        trace.eof_ns = arrival.now_ns
        try:
            self._response.end()
        except Fault as found:
            fault = self._stale(trace) or found
        self._finish(fault)
        self.close()

    def _broken(self, error: OSError) -> None:
        """The connection was reset, or the kernel gave it up."""
        if self._trace is not None and not self._response.complete:
            seen = self._response
            where = f"after {seen.body_bytes} body bytes" if seen.headers_done else "before the response headers ended"
            fault = Fault("reset", f"{error.strerror or error} {where}")
            self._finish(self._stale(self._trace) or fault)
        self.close()

    def _stale(self, trace: Trace) -> Fault | None:
        """The fault of a kept connection that ended before it gave a single byte; None: it is not that."""
        if trace.reused and not self._response.received:
            return Fault("reset", "server closed the kept connection before any response byte; it was not retried")
        return None

    def _answer_tls(self) -> None:
        """Send what the TLS session wants to say by itself, such as a key update."""
        if self._tls is not None and (records := self._tls.pending()):
            self._unsent = memoryview(bytes(self._unsent) + records)
            self._flush()

    # --- the end ---------------------------------------------------------------------------------------------

    def _finish(self, fault: Fault | None) -> None:
        """Wake the exchange; decide whether the connection may be kept."""
        if self._waiter is None or self._waiter.done():
            return
        response = self._response
        if fault is None:
            try:
                response.check_encoding()
            except Fault as found:
                fault = found
        whole = response.complete and response.keep_alive and not self._unsent and self._send_error is None
        self._waiter.set_result(fault)
        if not whole:
            self.close()

    def _due(self) -> tuple[int, FailureKind, str]:
        """The nearest deadline: monotonic nanoseconds, its kind, and what to say."""
        limits, trace = self._deadlines, self._trace
        assert trace is not None
        total_ns = trace.started_ns + round(limits.total_s * 1e9)
        if trace.reads:
            near_ns, kind = self._last_ns + round(limits.idle_s * 1e9), "idle"
        else:
            near_ns, kind = (trace.send0_ns or 0) + round(limits.first_byte_s * 1e9), "first"
        if total_ns <= near_ns:
            return total_ns, "timeout_total", f"not finished within {limits.total_s:g} s (total_s)"
        if kind == "idle":
            return near_ns, "timeout_idle", f"no byte for {limits.idle_s:g} s (idle_s)"
        heard = " although headers came" if trace.hdr_ns is not None else ""
        return near_ns, "timeout_first_byte", f"no body byte within {limits.first_byte_s:g} s (first_byte_s){heard}"

    def _arm(self, now_ns: int) -> None:
        due_ns, _, _ = self._due()
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max((due_ns - now_ns) / 1e9, _RETRY_S)
        self._timer = self._loop.call_later(delay_s, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        """Give up if something is due, else sleep again: reads move the deadline without touching the timer."""
        self._readable()  # what has already arrived is taken before anything is given up
        if self._waiter is None or self._waiter.done():
            return
        due_ns, kind, detail = self._due()
        now_ns = time.perf_counter_ns()
        if now_ns < due_ns:
            self._arm(now_ns)
            return
        self._finish(Fault(kind, detail))
