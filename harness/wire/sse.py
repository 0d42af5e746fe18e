"""Event streams taken apart: bytes with their arrival in, events with their arrival out; no clock, no I/O."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

MAX_LINE = 1_000_000
"""Bytes of one line, its end not counted; a longer one is refused."""
MAX_STRAY = 64
"""Lines that are no field of an event stream and are kept to be looked at."""

_END_OF_LINE = re.compile(rb"\r\n|\r|\n")


class Event(NamedTuple):
    """One event; its time is the arrival of the byte that ended its last data line."""

    at_ns: int
    read: int
    """Index of the read that held that byte."""
    event: str
    """``message`` where the stream named no other."""
    data: str
    id: str | None
    """The last id the stream set, which later events keep; None: it never set one."""


class LineTooLongError(Exception):
    """A line is longer than ``MAX_LINE`` bytes; ``events`` are those that the refused bytes held before it."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__(f"a line of more than {MAX_LINE} bytes in the event stream")
        self.events = events


def plain(body: bytes) -> list[bytes] | None:
    r"""Data of the events of a stream that has nothing but lines ``data: ...`` with one blank line after each.

    None: it has something else, or may have: an event given here that holds a line end shows the same. Such a stream
    is for the Decoder, which reads any stream, this kind too.
    """
    if not body.startswith(b"data: ") or not body.endswith(b"\n\n") or b"\r" in body:
        return None
    return body[6:-2].split(b"\n\ndata: ")


class Decoder:
    r"""Decode one event stream, however its bytes are split into reads.

    Lines end at CR, LF or CRLF and nowhere else. Bytes are decoded line by line, so a read that ends inside a
    character or between CR and LF changes nothing. What is tolerated is named in ``deviations``:

    - ``bom``: the stream starts with a byte order mark (the standard allows it, common clients lose the first event);
    - ``invalid_utf8``: bytes that are not UTF-8, replaced by U+FFFD;
    - ``no_final_blank_line``: the last event was not ended by a blank line (the standard drops such an event);
    - ``unknown_field``: a line that is no comment and no known field; the first ones are kept in ``stray``;
    - ``event_without_data``: an ``event`` or ``retry`` field with no data before the blank line;
    - ``blank_after_id``: a blank line ended no event though an id had been set (common clients dispatch one);
    - ``bad_retry``, ``nul_in_id``: a value the standard tells to ignore.

    Raises LineTooLongError, and nothing else.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """

    def __init__(self) -> None:
        self.deviations: set[str] = set()
        self.stray: list[str] = []
        self._partial = bytearray()
        self._started = False
        self._after_cr = False
        self._at_ns = 0
        self._read = 0
        self._data: list[str] = []
        self._data_at_ns = 0
        self._data_read = 0
        self._event = ""
        self._id: str | None = None
        self._dataless_field = False

    def feed(self, read: int, at_ns: int, data: bytes) -> list[Event]:
        """Events that ``data``, the read with this index and arrival, completed."""
        if not data:
            return []
        events: list[Event] = []
        start = 1 if self._after_cr and data[0] == 0x0A else 0
        self._after_cr = data[-1] == 0x0D
        self._at_ns, self._read = at_ns, read
        for end in _END_OF_LINE.finditer(data, start):
            self._partial += data[start : end.start()]
            start = end.end()
            self._end_line(events)
        self._partial += data[start:]
        self._check_length(events)
        return events

    def close(self) -> list[Event]:
        """The event that was left open when the stream ended, if it has data."""
        events: list[Event] = []
        if self._partial:
            self._end_line(events)
        if self._data:
            self.deviations.add("no_final_blank_line")
        if self._data or self._dataless_field:
            self._dispatch(events)
        return events

    def _check_length(self, events: list[Event]) -> None:
        if len(self._partial) > MAX_LINE:
            raise LineTooLongError(events)

    def _end_line(self, events: list[Event]) -> None:
        self._check_length(events)
        raw = bytes(self._partial)
        self._partial.clear()
        if not self._started:
            self._started = True
            if raw.startswith(codecs.BOM_UTF8):
                self.deviations.add("bom")
                raw = raw[len(codecs.BOM_UTF8) :]
        if not raw:
            self._dispatch(events)
            return
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            self.deviations.add("invalid_utf8")
            line = raw.decode(errors="replace")
        if not line.startswith(":"):
            name, _, value = line.partition(":")
            self._field(name, value.removeprefix(" "), line)

    def _field(self, name: str, value: str, line: str) -> None:
        if name == "data":
            self._data.append(value)
            self._data_at_ns, self._data_read = self._at_ns, self._read
        elif name == "event":
            self._event = value
            self._dataless_field = True
        elif name == "id":
            if "\0" in value:
                self.deviations.add("nul_in_id")
            else:
                self._id = value
        elif name == "retry":
            self._dataless_field = True
            if not (value.isascii() and value.isdigit()):
                self.deviations.add("bad_retry")
        else:
            self.deviations.add("unknown_field")
            if len(self.stray) < MAX_STRAY:
                self.stray.append(line)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            name = self._event or "message"
            events.append(Event(self._data_at_ns, self._data_read, name, "\n".join(self._data), self._id))
            self._data = []
        elif self._dataless_field:
            self.deviations.add("event_without_data")
        elif self._id is not None:
            self.deviations.add("blank_after_id")
        self._event = ""
        self._dataless_field = False
