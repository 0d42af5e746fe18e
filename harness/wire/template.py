"""Streams whose events differ in one text alone: what stands around it is found once and tells the others apart.

Most events of a stream repeat a hundred bytes of framing around a few bytes of text. Once one of them has been read in
full, those that begin and end as it did are known to say the same about everything but that text, so their texts are
all decoded at once. An event that differs in anything else does not fit and is read in full.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple, Self

import orjson

from harness.types import JsonObject

_LONGEST = 500_000
"""Bytes; the decoder of any stream has a say about lines that are longer yet."""
_LITERAL = rb'"%s"[ \t]*:[ \t]*("[^"\\]*(?:\\.[^"\\]*)*")'
_PLACES = {key: re.compile(_LITERAL % key.encode()) for key in ("content", "reasoning_content", "reasoning")}
_SAYING = frozenset(_PLACES).union(
    ("reasoning_details", "thinking_blocks", "thinking", "refusal", "tool_calls", "function_call")
)
"""Fields of a delta in which a model says something."""


class Frame(NamedTuple):
    """What stands around the data of every event."""

    before: bytes
    after: bytes

    def data(self, event: bytes) -> bytes | None:
        """The data of an event on one line; None: it is not framed like this."""
        before, after = self  # by name each is a call
        low, high = len(before), len(event) - len(after)
        if not (low <= high <= _LONGEST and event.startswith(before) and event.endswith(after)):
            return None
        data = event[low:high]
        return None if b"\n" in data or b"\r" in data else data


class Template(NamedTuple):
    """An event that says one text and nothing else of consequence; ``key`` is the field of the delta that holds it."""

    key: str
    chunk: JsonObject
    """The event it was learned from."""
    choice: JsonObject
    delta: JsonObject
    before: bytes
    after: bytes

    @classmethod
    def learned(cls, data: bytes, chunk: JsonObject) -> Self | None:
        """The template of an event without complaints, ``chunk`` being its ``data`` decoded; None: it makes none.

        Only the text may be of consequence: one choice with one channel of text, no finish reason and no usage. That
        ``before`` and ``after`` frame exactly that text is proved by putting another one in its place.
        """
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(delta, dict):
            return None
        said = [key for key, value in delta.items() if value and key in _SAYING]
        if len(said) != 1 or said[0] not in _PLACES or not isinstance(delta[said[0]], str):
            return None
        counted = chunk.get("usage") is not None or "x_groq" in chunk or choice.get("usage") is not None
        if counted or choice.get("finish_reason") or isinstance(choice.get("message"), dict):
            return None
        place = _PLACES[said[0]].search(data)
        if place is None:
            return None
        low, high = place.span(1)
        before, after = data[:low], data[high:]
        silent = {**chunk, "choices": [{**choice, "delta": {**delta, said[0]: ""}}]}
        if _decoded(before + b'""' + after) != silent:
            return None
        return cls(said[0], chunk, choice, delta, before, after)

    def literals(self, events: Sequence[bytes], start: int, frame: Frame) -> list[bytes]:
        """What stands in the place of the text in the events from ``start`` on, as long as they fit."""
        before, after = frame.before + self.before, self.after + frame.after
        low, high = len(before), -len(after)
        found: list[bytes] = []
        for event in islice(events, start, None):
            if not (event.startswith(before) and event.endswith(after)):
                break
            found.append(event[low:high])
        return found


def texts(literals: list[bytes]) -> list[str] | None:
    """The literals decoded; None: one of them is not exactly one JSON string on one line, or not a string for UTF-8.

    The tab between them is not allowed inside a string, so no string runs from one literal into the next; hence equal
    numbers mean one string each.
    """
    joined = b",\t".join(literals)
    if b"\n" in joined or b"\r" in joined or len(joined) > _LONGEST:
        return None
    found = _decoded(b"[%b]" % joined)
    if not isinstance(found, list) or len(found) != len(literals) or {*map(type, found)} != {str}:
        return None
    return found


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
