"""From the events of a stream to the JSON objects in them, up to ``[DONE]``, with what was complained of on the way."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeGuard

import orjson

from harness.exchange import Failure, FailureKind
from harness.types import JsonObject
from harness.wire.complaint import Complaint, complaint, inband, one_line
from harness.wire.sse import Event
from harness.wire.template import Frame, Template, texts

_WORTHLESS = 4
"""Templates that nothing fitted, after which no more are learned: every event of this stream differs in more."""
COMPLAINING = frozenset({"error", "x_groq", "detail", "errors", "message", "msg", "error_msg", "type"})
"""Without one of these or ``object: error`` nothing is a complaint."""
_ONE_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19
_LONG_NUMBER = re.compile(rb"[:,\[\s]-?0{19}|\A-?0{19}")


class Run(NamedTuple):
    """Events one after another that fit a template."""

    template: Template
    texts: list[str]
    reads: Sequence[int]
    """Index of the read that ended each of them, same length as ``texts``."""


Found = tuple[int, JsonObject] | Run
"""An object with the index of the read that ended it, or many objects."""


class Objects:
    """The objects of one stream; used once.

    Names: ``data_after_done``, ``done_not_exact``, ``empty_data``, ``named_event``, ``unknown_event``, ``cut_event``.
    """

    def __init__(self, status: int | None) -> None:
        self.found: list[Found] = []
        self.names: set[str] = set()
        self.problem: Failure | None = None
        """The first thing that the server itself said or did wrong."""
        self.ev1_ns: int | None = None
        self.done_ns: int | None = None
        self._status = status

    def chunks(self) -> Iterator[JsonObject]:
        """One object for each kind of event: those of a run say nothing new but their text."""
        return (one.template.chunk if isinstance(one, Run) else one[1] for one in self.found)

    def read(self, events: Iterable[Event], late: Sequence[Event]) -> None:
        """Take all events; ``late`` holds the one that the end of the stream cut short."""
        for event in (*events, *late):
            if self.done_ns is not None:
                self.names.add("data_after_done")
                return
            self._take(event.data, event.event, event.read, event.at_ns, cut=bool(late) and event is late[0])

    def read_regular(self, events: Sequence[bytes], reads: Sequence[int], times: Sequence[int], frame: Frame) -> bool:
        """Take events that all stand in the same frame.

        ``reads`` holds the index of the read that ended each of them, ``times`` the arrivals of the reads. Gives False
        where one does not stand in the frame or is not UTF-8: then this object is of no use.
        """
        template: Template | None = None
        chances = _WORTHLESS
        place = 0
        while place < len(events):
            literals = template.literals(events, place, frame) if template and self.done_ns is None else None
            if template and literals:
                said = texts(literals)
                if said:
                    self.found.append(Run(template, said, reads[place : place + len(said)]))
                    place += len(said)
                    chances = _WORTHLESS
                    continue
                chances = 0
            data = frame.data(events[place])
            if data is None:
                return False
            try:
                value = self._take_plain(data, reads[place], times[reads[place]])
            except UnicodeDecodeError:
                return False
            template = Template.learned(data, value) if value is not None and chances > 0 else None
            chances -= template is not None
            place += 1
        return True

    def fail(self, kind: FailureKind, detail: str) -> Failure:
        """Note a problem, unless there is one already; gives the first."""
        self.problem = self.problem or Failure(kind, one_line(detail), self._status)
        return self.problem

    def complain(self, found: Complaint) -> None:
        """Note what the server said of itself, unless there is a problem already."""
        self.problem = self.problem or inband(found, self._status)

    def _take_plain(self, data: bytes, read: int, at_ns: int) -> JsonObject | None:
        """As ``_take``, for the data of an unnamed event; UnicodeDecodeError where it is not UTF-8."""
        if self.done_ns is not None:
            data.decode()
            self.names.add("data_after_done")
            return None
        if data.startswith(b"{") and exact(data):
            try:
                value = orjson.loads(data)
            except orjson.JSONDecodeError:
                value = None
            if _usual(value):
                if self.ev1_ns is None:
                    self.ev1_ns = at_ns
                self.found.append((read, value))
                return value
        return self._take(data.decode(), "message", read, at_ns)

    def _take(self, text: str, name: str, read: int, at_ns: int, *, cut: bool = False) -> JsonObject | None:
        """Take one event; gives its object if that holds no complaint."""
        if self.ev1_ns is None:
            self.ev1_ns = at_ns
        data = text.strip()
        if data[:1] in ("[", '"') and data.strip('"').startswith("[DONE]"):
            self.done_ns = at_ns
            if text != "[DONE]":
                self.names.add("done_not_exact")
            return None
        if not data:
            self.names.add("empty_data")
            return None
        value = decoded(data)
        certain = name == "error"
        said = complaint(value, certain=certain) or (Complaint(data) if certain else None)
        if said:
            self.complain(said)
        elif name != "message":
            self.names.add("named_event")
        if isinstance(value, dict):
            if "choices" in value or not said:
                self.found.append((read, value))
            return None if said else value
        if said:
            return None
        if cut:
            self.names.add("cut_event")
        elif name != "message":
            self.names.add("unknown_event")
        else:
            self.fail("bad_json", f"an event that is no JSON object; it starts with {data[:60]!r}")
        return None


def _usual(value: Any) -> TypeGuard[JsonObject]:
    """Whether it is a chunk without any field that ``complaint`` looks into, so that it has none about it."""
    if not isinstance(value, dict) or not COMPLAINING.isdisjoint(value) or value.get("object") == "error":
        return False
    choices = value.get("choices")
    if not isinstance(choices, list):
        return False
    return not choices or (isinstance(choices[0], dict) and "error" not in choices[0])


def reads_of(events: Sequence[bytes], sizes: Sequence[int]) -> Sequence[int]:
    """Index of the read that held the end of each event's line, given the bytes of the reads.

    ``events`` come from ``sse.plain``, which takes 8 bytes of framing off each.
    """
    if len(sizes) == 1:
        return [0] * len(events)
    lengths = [len(data) + 8 for data in events]
    if lengths == sizes:
        return range(len(sizes))
    ends = list(accumulate(sizes))
    return [bisect_right(ends, end - 2) for end in accumulate(lengths)]


def exact(data: bytes) -> bool:
    """Whether ``orjson`` reads every number as ``json`` does: of an integer beyond 64 bits it makes a float."""
    return _LONG not in data.translate(_ONE_DIGIT)


def decoded(text: str) -> Any:
    """Decoded JSON as ``json`` has it; None: it is none (or ``null``).

    ``orjson`` is the faster one; what it refuses (NaN, halves of surrogate pairs) or makes a float of (integers beyond
    64 bits) is left to ``json``.
    """
    data = text.encode()
    digits = data.translate(_ONE_DIGIT)
    try:
        if _LONG not in digits or not _LONG_NUMBER.search(digits):
            return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
