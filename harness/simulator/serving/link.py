"""The simulator's end of one connection, plain or TLS: reads with the kernel's arrival times, writes without a wait.

A transport of asyncio would tell when the program came to read, and might keep a write until the loop's next turn; the
times of the log would then hold the simulator's own delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from typing import Protocol

from harness.wire.clock import CONTROL_SIZE, KernelClock, stamp_of
from harness.wire.fault import Fault
from harness.wire.tls import Tls

_READ_SIZE = 65536
_HELD_BYTES = 4 * 2**20
"""What may wait for a client that does not read, before its stream waits as well."""
_RESET = struct.pack("ii", 1, 0)


class Owner(Protocol):
    """Whom a link tells what happens to it."""

    def received(self, data: bytes, at_ns: int) -> None:
        """Bytes arrived at ``at_ns`` of perf_counter_ns: the kernel's stamp, or where there is none, the read."""

    def drained(self) -> None:
        """What was held for the client is with the kernel."""

    def lost(self) -> None:
        """The connection has ended, from whichever side; called once."""


class Link:
    """An accepted socket; ``tls`` is a fresh session of the server's side, None: plain."""

    def __init__(self, sock: socket.socket, tls: Tls | None, clock: KernelClock) -> None:
        sock.setblocking(False)  # noqa: FBT003 - positional only
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock, self._tls, self._arrival = sock, tls, clock.arrival
        self._send = sock.send
        self._shaken = tls is None
        self._loop = asyncio.get_running_loop()
        self._floor_ns = 0
        self._unsent = bytearray()
        self._gone = False
        self.ended = False
        """Whether nothing more is read, or written that is not written yet."""
        self._owner: Owner | None = None

    def begin(self, owner: Owner) -> None:
        """Read from now on."""
        self._owner = owner
        self._loop.add_reader(self._sock, self._readable)

    @property
    def full(self) -> bool:
        """Whether so much waits for the client that no more should be written; ``Owner.drained`` tells of its end."""
        return len(self._unsent) > _HELD_BYTES

    def write(self, data: bytes) -> int:
        """Hand bytes to the kernel, and return the time right before; what it does not take now follows by itself."""
        if self.ended:
            return time.perf_counter_ns()
        if self._tls is not None:
            try:
                data = self._tls.encrypt(data)
            except Fault:
                self.abort()
                return time.perf_counter_ns()
        at_ns = time.perf_counter_ns()
        self._hand(data)
        return at_ns

    def close(self) -> None:
        """End the connection once everything is written."""
        if self.ended:
            return
        if self._tls is not None and self._shaken:
            self._hand(self._tls.farewell())
        self._stop_reading()
        if not self._unsent:
            self._shut()

    def abort(self, *, reset: bool = False) -> None:
        """End the connection now, with a reset (RST) when asked; what was not written is lost."""
        if self._gone:
            return
        if reset:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._stop_reading()
        self._shut()

    # --- the socket --------------------------------------------------------------------------------------

    def _hand(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]
            self._loop.add_writer(self._sock, self._flush)

    def _flush(self) -> None:
        try:
            sent = self._send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        del self._unsent[:sent]
        if self._unsent:
            return
        self._loop.remove_writer(self._sock)
        if self.ended:
            self._shut()
        elif self._owner is not None:
            self._owner.drained()

    def _readable(self) -> None:
        # Until nothing is left: libuv tells of a reset behind queued data once and then never again.
        while not self.ended:
            try:
                data, control, _, _ = self._sock.recvmsg(_READ_SIZE, CONTROL_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.abort()
                return
            if not data:
                self.close()
                return
            at_ns, _, _ = self._arrival(stamp_of(control), self._floor_ns)
            self._floor_ns = at_ns
            if self._tls is None:
                self._tell(data, at_ns)
            else:
                self._decipher(self._tls, data, at_ns)

    def _decipher(self, tls: Tls, data: bytes, at_ns: int) -> None:
        try:
            if not self._shaken:
                self._shaken, data = tls.handshake(data), b""
            plain, ended = tls.decrypt(data) if self._shaken else (b"", False)
        except Fault:
            self._hand(tls.pending())  # the alert that says why
            self.abort()
            return
        if records := tls.pending():
            self._hand(records)
        if plain and not self.ended:
            self._tell(plain, at_ns)
        if ended:
            self.close()

    def _tell(self, data: bytes, at_ns: int) -> None:
        assert self._owner is not None
        self._owner.received(data, at_ns)

    def _stop_reading(self) -> None:
        if not self.ended:
            self.ended = True
            self._loop.remove_reader(self._sock)

    def _shut(self) -> None:
        if self._gone:
            return
        self._gone = True
        if self._unsent:
            self._unsent.clear()
            self._loop.remove_writer(self._sock)
        self._sock.close()
        if self._owner is not None:
            # In a turn of its own: whoever ended it is in the middle of something.
            self._loop.call_soon(self._owner.lost)
            self._owner = None
