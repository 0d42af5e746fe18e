"""One TCP or TLS connection of our own, read with ``recvmsg`` so that every read carries its arrival time.

Order at each read: bytes and stamp first, then framing, then the next read; no body is interpreted here.
A read of TLS bytes has the arrival of the packet that completed the record. The end of a connection has no
stamp of the kernel, so ``eof_ns`` of a close-delimited body is the time right after the read.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable

from harness.provider import Deadlines
from harness.wire.clock import CONTROL_SIZE, KernelClock, stamp_of
from harness.wire.deadline import Wheel
from harness.wire.fault import Fault
from harness.wire.response import Response
from harness.wire.tls import Tls
from harness.wire.trace import Trace

READ_SIZE = 65536
MAX_READS = 1_000_000
"""Reads with body bytes after which a response is given up as ``too_large``: each is kept with its stamp."""
_NEVER_NS = 1 << 62


class Connection:
    """A connected socket that carries one exchange after another; it closes itself when it is of no more use."""

    __slots__ = (
        "_arrival",
        "_deadlines",
        "_floor_ns",
        "_getsockopt",
        "_give_up_ns",
        "_last_ns",
        "_loop",
        "_on_close",
        "_recvmsg",
        "_response",
        "_send_error",
        "_sock",
        "_tls",
        "_total_ns",
        "_trace",
        "_unsent",
        "_waiter",
        "_wheel",
        "_writing",
        "closed",
        "exchanges",
        "idle_since_ns",
        "remote",
        "slot",
        "tls_version",
    )

    def __init__(
        self,
        sock: socket.socket,
        tls: Tls | None,
        clock: KernelClock,
        wheel: Wheel,
        *,
        remote: str,
        on_close: Callable[[Connection], None],
    ) -> None:
        self.remote = remote
        self.tls_version = tls.version if tls is not None else None
        self.closed = False
        self.exchanges = 0
        """How many were begun on it."""
        self.idle_since_ns: int | None = None
        """Since when it is kept after an answer; None: it is busy, or new."""
        self.slot = -1
        """The wheel's."""
        self._sock = sock
        self._recvmsg, self._getsockopt = sock.recvmsg, sock.getsockopt  # bound once, not at every read
        self._tls = tls
        self._arrival = clock.arrival
        self._wheel = wheel
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._unsent = memoryview(b"")
        self._writing = False
        self._send_error: OSError | None = None
        """The server stopped taking our bytes; what it says about it may still be readable."""
        self._trace: Trace | None = None
        """Of the exchange under way; None: idle, or its response is complete."""
        self._response: Response
        """Of the latest exchange."""
        self._deadlines = Deadlines()
        self._total_ns = self._give_up_ns = _NEVER_NS
        self._last_ns = 0
        self._floor_ns = 0
        self._waiter: asyncio.Future[Fault | None] | None = None
        self._loop.add_reader(sock, self._readable)

    # --- for the pool ----------------------------------------------------------------------------------------

    async def exchange(
        self, payload: bytes, deadlines: Deadlines, trace: Trace, *, decode: bool = False
    ) -> Fault | None:
        """Send one request and take in its response, all facts into ``trace``; the fault, if any, is returned.

        Afterwards the connection is either ``closed`` or may be used again. Cancellation closes it at once.
        ``decode`` takes gzip off the body, for a request that asked for it.
        """
        self.exchanges += 1
        self.idle_since_ns = None
        trace.remote, trace.tls_version = self.remote, self.tls_version
        if self._tls is not None:
            try:
                payload = self._tls.encrypt(payload)
            except Fault as fault:
                self.close()
                return fault
        self._response = Response(decode=decode)
        self._deadlines = deadlines
        self._trace = trace
        self._unsent = memoryview(payload)
        self._waiter = self._loop.create_future()
        trace.send0_ns = self._last_ns = time.perf_counter_ns()
        if self._tls is None:
            self._floor_ns = trace.send0_ns  # under TLS session tickets may have come before we asked
        self._total_ns = trace.started_ns + int(deadlines.total_s * 1e9)
        give_up_s = deadlines.give_up_s
        self._give_up_ns = _NEVER_NS if give_up_s is None else trace.send0_ns + int(give_up_s * 1e9)
        self._flush()
        self._wheel.watch(self, self._due_ns(trace))
        try:
            return await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._trace = self._waiter = None

    @property
    def busy(self) -> bool:
        """Whether an exchange is under way."""
        return self._trace is not None

    def check_idle(self) -> bool:
        """Whether a kept connection is still good, with what the event loop has not told us yet looked up."""
        if not self.closed:
            self._readable()
        return not self.closed

    def abort(self, fault: Fault) -> None:
        """Close at once; an exchange under way ends with ``fault``, what had arrived is kept."""
        if not self.closed:
            self._readable()
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
        self._wheel.forget(self)
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
        """Read once; where the connection was reset meanwhile, read what had come before that, and end.

        libuv tells of a reset once and then watches the socket no more, while the kernel gives what is queued first.
        """
        self._read()
        if not self.closed and (code := self._getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self._send_error = OSError(code, os.strerror(code))  # asking took it out of the socket: it now ends plainly
            while not self.closed and self._read():
                pass

    def _read(self) -> bool:
        """One read of the socket; tells whether it brought anything."""
        recvmsg, arrival = self._recvmsg, self._arrival  # calling an attribute that is no method is slow in Python
        try:
            data, control, _, _ = recvmsg(READ_SIZE, CONTROL_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._broken(error)
            return False
        at_ns, now_ns, kernel = arrival(stamp_of(control), self._floor_ns)
        closed = not data
        if data:
            self._floor_ns = at_ns
            if self._tls is not None:
                try:
                    data, closed = self._tls.decrypt(data)
                except Fault as fault:
                    self._finish(fault)
                    self.close()
                    return False
                self._answer_tls()
        trace = self._trace
        if trace is None:
            if data or closed:
                self.close()  # idle: the server hung up, or sent what nobody asked for
            return False
        if data:
            # Counted in place: this runs for every read of every stream.
            if kernel:
                trace.kernel_reads += 1
                if now_ns - at_ns > trace.lag_max_ns:  # noqa: PLR1730 - half of what max() costs
                    trace.lag_max_ns = now_ns - at_ns
            else:
                trace.user_reads += 1
            self._take(trace, data, at_ns, now_ns)
        if closed and self._trace is not None:
            self._ended(trace, now_ns)
        return not closed

    def _take(self, trace: Trace, data: bytes, at_ns: int, now_ns: int) -> None:
        """Note one read of response bytes."""
        response = self._response
        body = response.feed(data)
        self._last_ns = now_ns
        if trace.hdr_ns is None and response.headers_done:
            trace.hdr_ns = at_ns
            trace.status = response.status
            trace.headers = response.headers
        if body:
            reads = trace.reads
            reads.append((at_ns, body))
            if response.chunks > 1:
                trace.coalesced_reads += 1
            if len(reads) == 1:
                self._wheel.watch(self, self._due_ns(trace))  # the idle deadline may be nearer than the one we wait for
            elif len(reads) > MAX_READS and response.fault is None:
                response.fault = Fault("too_large", f"body came in more than {MAX_READS} reads")
        if response.complete:
            trace.eof_ns = at_ns
            self._finish(response.fault)
        elif response.fault is not None:
            self._finish(response.fault)

    def _ended(self, trace: Trace, now_ns: int) -> None:
        """The server closed its side."""
        if self._send_error is not None:
            self._broken(self._send_error)  # a reset that sending met first; reading then sees a plain end
            return
        trace.eof_ns = now_ns
        self._response.end()
        fault = self._response.fault
        self._finish(self._stale(trace) or fault if fault is not None else None)
        self.close()

    def _broken(self, error: OSError) -> None:
        """The connection was reset, or the kernel gave it up."""
        if self._trace is not None:
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
        if self._trace is None or self._waiter is None:
            return
        response = self._response
        whole = response.complete and response.keep_alive and not self._unsent and self._send_error is None
        self._trace = None
        response.release()
        if not self._waiter.done():  # a task that is being cancelled has already cancelled it
            self._waiter.set_result(fault)
        if not whole:
            self.close()

    def _due_ns(self, trace: Trace) -> int:
        """The nearest deadline."""
        return min(self._near_ns(trace), self._total_ns, self._give_up_ns)

    def _near_ns(self, trace: Trace) -> int:
        """Until when the next byte of the body must have come."""
        if trace.reads:
            return self._last_ns + int(self._deadlines.idle_s * 1e9)
        return (trace.send0_ns or 0) + int(self._deadlines.first_byte_s * 1e9)

    def look(self) -> None:
        """Give up if a deadline is over, else sleep again: reads move the deadline without touching the wheel."""
        if self.busy:
            self._readable()  # what has already arrived is taken before anything is given up
        trace = self._trace
        if trace is None:
            return
        due_ns = self._due_ns(trace)
        if time.perf_counter_ns() < due_ns:
            self._wheel.watch(self, due_ns)
        else:
            self._finish(self._overdue(trace, due_ns))

    def _overdue(self, trace: Trace, due_ns: int) -> Fault:
        """Which deadline that was, and what to say."""
        limits = self._deadlines
        if due_ns == self._give_up_ns:
            return Fault("abandoned", f"its user gave up after {limits.give_up_s:g} s, as planned")
        if due_ns == self._total_ns:
            return Fault("timeout_total", f"not finished within {limits.total_s:g} s (total_s)")
        if trace.reads:
            return Fault("timeout_idle", f"no byte for {limits.idle_s:g} s (idle_s)")
        heard = " although headers came" if trace.hdr_ns is not None else ""
        said = f"no body byte within {limits.first_byte_s:g} s (first_byte_s){heard}"
        return Fault("timeout_first_byte", said)
