"""Tool calls as judges read them: those of a whole answer, and those that a stream spreads over its deltas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.conformance.capture import Capture, brief, dig, parse
from harness.conformance.outcome import Check, Ignored, Untestable, accepted, check, streamed
from harness.conformance.plain import MARKERS
from harness.types import JsonObject


class Call(NamedTuple):
    """One tool call; whatever the server sent stands here as it is, None where it sent nothing."""

    id: Any
    kind: Any
    name: Any
    arguments: Any
    """Of a custom tool its free text."""

    @property
    def value(self) -> Any:
        """The arguments read, even where they came as an object in the first place; None: they are no JSON."""
        return parse(self.arguments) if isinstance(self.arguments, str) else self.arguments


def calls_of(capture: Capture) -> tuple[Call, ...]:
    """The calls of the first choice, assembled from a stream as leniently as can be; those that are no object left out.

    A new call begins with an index not seen before, or with another id than the call of that index has.
    """
    if not capture.streamed:
        given = capture.message.get("tool_calls")
        return tuple(_read(call) for call in given if isinstance(call, dict)) if isinstance(given, list) else ()
    found: list[JsonObject] = []
    for delta in call_deltas(capture):
        mine = [call for call in found if call["index"] == delta.get("index")]
        call = mine[-1] if mine else None
        if call is None or (delta.get("id") and call["id"] and delta["id"] != call["id"]):
            call = {"index": delta.get("index"), "id": None, "type": None, "name": None, "text": ""}
            found.append(call)
        read = _read(delta)
        call["id"], call["type"] = call["id"] or read.id, call["type"] or read.kind
        call["name"] = call["name"] or read.name
        call["text"] += read.arguments if isinstance(read.arguments, str) else ""
    return tuple(Call(call["id"], call["type"], call["name"], call["text"]) for call in found)


def call_deltas(capture: Capture) -> Iterator[JsonObject]:
    """The deltas of tool calls in a stream, in order, of whatever choice, and even where they stand in a message."""
    for chunk in capture.chunks:
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            given = dig(choice, "delta", "tool_calls") or dig(choice, "message", "tool_calls")
            for delta in given if isinstance(given, list) else ():
                if isinstance(delta, dict):
                    yield delta


def called(capture: Capture) -> Iterator[Check]:
    """Checks that an answer, streamed or not, holds a call.

    Raises:
        Refused: the request was cleanly refused.
        Ignored: it was answered, with no call.
        Untestable: it was cut before there could be one.
    """
    yield from streamed(capture) if capture.attempt.request.stream else accepted(capture)
    if calls_of(capture):
        return
    leaked = leaks(capture)
    yield check("the call was parsed", not leaked, "tool_calls", capture.text, of=capture)
    if capture.cut_short:
        raise Untestable("headroom", "the output was cut before a call")
    given = capture.message.get("tool_calls")
    yield check("tool_calls", not given, "an array of objects", given, of=capture)
    raise Ignored("answered without a call", "a tool call", capture.text or capture.message, of=capture)


def leaks(capture: Capture) -> list[str]:
    """The markers of calls that stand in the text.

    Raises:
        Untestable: there are some, and the output was cut: a parser may have waited for the end of the call.
    """
    found = [marker for marker in MARKERS if marker in capture.text]
    if found and capture.finish_reason == "length":
        raise Untestable("headroom", "the output was cut inside a call")
    return found


def arguments_of(capture: Capture, call: Call) -> JsonObject:
    """The arguments of a call.

    Raises:
        Untestable: they are no JSON object, which is a finding of its own, or were cut.
    """
    value = call.value
    if isinstance(value, dict):
        return value
    if capture.finish_reason == "length":
        raise Untestable("headroom", "the output was cut inside a call")
    raise Untestable("evidence", f"the arguments are no JSON object: {brief(call.arguments, 60)}")


def _read(call: JsonObject) -> Call:
    inner = call.get("function") or call.get("custom")
    given = inner if isinstance(inner, dict) else {}
    arguments = given["input"] if "input" in given and "arguments" not in given else given.get("arguments")
    return Call(call.get("id"), call.get("type"), given.get("name"), arguments)
