"""A response of the Responses API as a judge reads it, whole or out of the events of a stream."""

from __future__ import annotations

from typing import Any

from harness.conformance.capture import Capture, count, dig
from harness.types import JsonObject

ENDS = ("response.completed", "response.incomplete", "response.failed")
"""Types of the event that a stream ends with."""


def items(body: Any, kind: str) -> list[JsonObject]:
    """The output items of a response that have a type, in order."""
    found = dig(body, "output")
    return [one for one in found if dig(one, "type") == kind] if isinstance(found, list) else []


def texts(body: Any) -> list[str]:
    """The output texts of a response's messages, in order; a part whose text is no string is left out."""
    parts = [part for item in items(body, "message") for part in listed(item.get("content"))]
    said = [dig(part, "text") for part in parts if dig(part, "type") == "output_text"]
    return [one for one in said if isinstance(one, str)]


def told(capture: Capture, *kinds: str) -> list[JsonObject]:
    """The events of a stream that have one of these types, in order."""
    return [chunk for chunk in capture.chunks if chunk.get("type") in kinds]


def joined(events: list[JsonObject], field: str = "delta") -> str:
    """A field of events, joined; what is no string is left out."""
    return "".join(event[field] for event in events if isinstance(event.get(field), str))


def read_tokens(capture: Capture) -> int | None:
    """``usage.input_tokens``; None: not stated as a number of tokens, or 0."""
    return count(capture.at("usage", "input_tokens")) or None


def listed(value: Any) -> list[Any]:
    """A value where it is an array, and otherwise nothing."""
    return value if isinstance(value, list) else []
