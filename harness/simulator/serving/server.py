"""The simulator's HTTP/1.1: requests off a link, every write at its due time and stamped."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable

import httptools

from harness.simulator.engine.stream import Send
from harness.simulator.serving.link import Link
from harness.simulator.serving.log import TimingLog
from harness.simulator.serving.replies import Reply
from harness.simulator.serving.service import Service
from harness.simulator.serving.turn import Incoming
from harness.wire.alarm import Alarm

LARGEST_BODY = 16 * 2**20
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_OUR_FAULT = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MARKS = {"head": "headers_ns", "role": "role_ns", "end": "end_ns", "body": "end_ns"}
"""Which time of the log each kind of write is; that of a whole body is the end alone."""
_WAITING = frozenset({"token", "slot"})
_ENDS = frozenset({"close", "abort"})


class Connection:
    """One client's connection: parses requests, answers them one after another."""

    def __init__(
        self, link: Link, service: Service, alarm: Alarm, log: TimingLog, *, log_chunks: bool, number: int
    ) -> None:
        self.service, self.alarm, self.log = service, alarm, log
        self.log_chunks, self.number = log_chunks, number
        self.resumed: Callable[[], None] | None = None
        """What waits for the client to read."""
        self.accept_ns = time.perf_counter_ns()
        self.write = link.write
        """Writes, and returns the time right before it."""
        self._link = link
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Incoming] = deque()
        self._transfer: Transfer | None = None
        self._served = 0
        self._read_ns = 0
        self._begin()
        link.begin(self)

    # --- the link ----------------------------------------------------------------------------------------

    def received(self, data: bytes, at_ns: int) -> None:
        """Bytes came."""
        self._read_ns = at_ns
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No upgrade is offered; the request itself was answered like any other.
            pass
        except httptools.HttpParserError:
            if self._transfer is None and not self.closed:
                self.write(_BAD_REQUEST)
            self.end()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._link.ended

    @property
    def paused(self) -> bool:
        """Whether the client does not read."""
        return self._link.full

    def drained(self) -> None:
        """It has read."""
        if self.resumed is not None:
            self.alarm.at(0, self.resumed)
            self.resumed = None

    def lost(self) -> None:
        """The connection has ended."""
        self._waiting.clear()
        if self._transfer is not None:
            self._transfer.abandon()

    # --- httptools ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """All headers are read."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; what is too much is dropped, so that a huge body costs no memory."""
        self._size += len(body)
        if self._size <= LARGEST_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """A request is read whole."""
        incoming = Incoming(
            method=self._parser.get_method().decode("latin-1"),
            path=self._url.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            read_ns=self._read_ns,
            keep_alive=self._parser.should_keep_alive(),
            too_large=self._size > LARGEST_BODY,
        )
        self._waiting.append(incoming)
        if self._transfer is None and len(self._waiting) == 1:
            self._serve()

    # --- answering ---------------------------------------------------------------------------------------

    def end(self, *, reset: bool = False) -> None:
        """Close the connection, with a reset (RST) when asked."""
        if reset:
            self._link.abort(reset=True)
        else:
            self._link.close()

    def finished(self, reply: Reply) -> None:
        """The reply is written: on to the next request."""
        self._transfer = None
        if reply.close and not self.closed:
            self.end()
        if self._waiting and not self.closed:
            # Not at once: a thousand pipelined requests would be as many calls inside one another.
            asyncio.get_running_loop().call_soon(self._serve)

    def shut(self, *, reset: bool = False) -> None:
        """The server ends: give up what is under way."""
        if self._transfer is not None:
            self._transfer.abandon()
        self.end(reset=reset)

    def _serve(self) -> None:
        if self._transfer is not None or not self._waiting:
            return
        incoming = self._waiting.popleft()
        try:
            reply = self.service.reply(incoming)
        except Exception:  # noqa: BLE001 - whatever it is
            # A fault of ours is told to the client and kept for the log; it must not look like a client's mistake.
            sys.excepthook(*sys.exc_info())
            self.write(_OUR_FAULT)
            self.end()
            return
        self._served += 1
        reply.record |= {"connection": self.number, "reused": self._served > 1, "path": incoming.path}
        self._transfer = Transfer(self, reply, incoming.read_ns)
        self._transfer.start()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0


class Transfer:
    """One reply on its way: each write at its due time, each stamp right before its write."""

    def __init__(self, connection: Connection, reply: Reply, start_ns: int) -> None:
        self._connection, self._reply, self._start_ns = connection, reply, start_ns
        self._sends, self._seat, self._meter = reply.sends, reply.seat, connection.service.meter
        self._marks: dict[str, int] = {}
        self._chunks: list[int] = []
        self._chunk_tokens: list[int] = []
        self._sent = 0
        self._logged = False
        self._next: Send | None = None
        self._first_ns = self._last_ns = 0
        """When the engine had its first token and its last one so far; 0: none yet."""

    def start(self) -> None:
        """Write what is due at once and wait for the rest."""
        self._next = next(self._sends, None)
        self._wait()

    def abandon(self) -> None:
        """The client is gone: log how far it came."""
        self._log()

    def _step(self) -> None:
        connection = self._connection
        if connection.paused:
            connection.resumed = self._step
            return
        send = self._next
        while send is not None and not connection.closed:
            self._write(send)
            self._next = following = next(self._sends, None)
            # A token always waits for its turn among the streams, even when it is already due.
            if following is not None and (following.kind in _WAITING or following.due_ns > send.due_ns):
                break
            send = following
        self._wait()

    def _wait(self) -> None:
        send = self._next
        if send is not None and send.kind == "slot" and not self._connection.closed:
            if self._seat is not None and self._seat.granted_ns is None:
                self._seat.wake = self._granted
                return
            send = self._next = next(self._sends, None)
        if send is None:
            # In a turn of its own: where many answers end at once, the last tokens of the others are due.
            asyncio.get_running_loop().call_soon(self._finish)
        elif self._connection.closed:
            self._log()
        elif send.due_ns <= 0 and send.kind != "token":
            self._step()
        else:
            self._connection.alarm.at(self._start_ns + send.due_ns, self._step)

    def _finish(self) -> None:
        self._log()
        self._connection.finished(self._reply)

    def _granted(self) -> None:
        # In a turn of its own: the one who leaves is in the middle of a write.
        self._connection.alarm.at(self._start_ns, self._wait)

    def _write(self, send: Send) -> None:
        kind = send.kind
        if kind == "token":
            stamp = self._connection.write(send.data)
            if not self._sent:
                self._marks["first_ns"] = stamp
            self._marks["last_ns"] = stamp
            self._sent += send.tokens
            self._connection.log.late(stamp - self._start_ns - send.due_ns)
            if self._connection.log_chunks:
                self._chunks.append(stamp)
                self._chunk_tokens.append(send.tokens)
        elif kind == "tick":
            stamp = self._start_ns + send.due_ns
        elif kind in _ENDS:
            self._marks["end_ns"] = time.perf_counter_ns()
            self._connection.end(reset=kind == "abort")
            return
        else:
            stamp = self._connection.write(send.data)
            self._marks[_MARKS[kind]] = stamp
        if send.tokens:
            self._count(stamp, send.tokens)

    def _count(self, at_ns: int, tokens: int) -> None:
        """What the engine's own metrics make of some tokens."""
        meter, seat = self._meter, self._seat
        if seat is None:
            return
        if self._first_ns:
            meter.gap.observe((at_ns - self._last_ns) * 1e-9 / tokens, tokens)
        else:
            self._first_ns = at_ns
            meter.prompt_tokens += seat.prompt
            meter.first.observe((at_ns - self._start_ns) * 1e-9)
            if tokens > 1:
                meter.gap.observe(0.0, tokens - 1)
        self._last_ns = at_ns
        seat.produced += tokens
        meter.output_tokens += tokens

    def _log(self) -> None:
        if self._logged:
            return
        self._logged = True
        granted = None
        if (seat := self._seat) is not None:
            granted, seat.wake = seat.granted_ns, None
            seat.leave(time.perf_counter_ns())
            if granted is not None and self._first_ns:
                self._meter.finished(self._start_ns, granted, self._first_ns, self._last_ns, seat.produced)
        marks = {name: self._marks.get(name) for name in ("headers_ns", "role_ns", "first_ns", "last_ns", "end_ns")}
        line = {"type": "request", **self._reply.record, "status": self._reply.status, "sent": self._sent}
        times = {"accept_ns": self._connection.accept_ns, "read_ns": self._start_ns, "granted_ns": granted, **marks}
        chunks = {"chunks_ns": self._chunks, "chunks_tokens": self._chunk_tokens}
        self._connection.log.add(
            {**line, "aborted": self._next is not None, **times, **(chunks if self._connection.log_chunks else {})}
        )
