"""What the events of a response say, added up: texts by their place, calls by their item, marks, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.exchange import Completion, StreamMarks, ToolCall, Usage
from harness.types import JsonObject
from harness.wire import shapes
from harness.wire.complaint import Complaint, complaint

_TEXT, _REFUSAL, _THOUGHT, _SUMMARY, _CALL = "text", "refusal", "thought", "summary", "call"
_DELTAS = {
    "response.output_text.delta": _TEXT,
    "response.refusal.delta": _REFUSAL,
    "response.reasoning_text.delta": _THOUGHT,
    "response.reasoning_summary_text.delta": _SUMMARY,
    "response.function_call_arguments.delta": _CALL,
    "response.custom_tool_call_input.delta": _CALL,
}
_DONE = {
    "response.output_text.done": (_TEXT, "text"),
    "response.refusal.done": (_REFUSAL, "refusal"),
    "response.reasoning_text.done": (_THOUGHT, "text"),
    "response.reasoning_summary_text.done": (_SUMMARY, "text"),
    "response.function_call_arguments.done": (_CALL, "arguments"),
    "response.custom_tool_call_input.done": (_CALL, "input"),
}
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Kinds of items that call a tool of ours, and where their arguments are."""
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_VISIBLE = (_TEXT, _REFUSAL)
_MOST_PLACES = 10_000
"""Texts and calls of one answer that are kept apart; what has more is noise."""

_Place = tuple[str, Any, Any]
"""Channel, item, and part of the item."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""


class Parts:
    """Adds up the events of one answer; used once.

    Deviations: ``event_field_not_text``, ``item_not_announced`` (a piece of a call whose item was not added before),
    ``text_not_streamed`` (a text or the arguments of a call came with their end alone), ``done_differs`` (the end of a
    text tells another text than its pieces), ``output_lost`` (the last response holds no output although some came),
    ``output_differs`` (it holds another text), ``finish_unknown``, ``usage_field_names`` (those of chat),
    ``id_changed``, ``model_changed``, ``unknown_event``, ``call_id_missing`` (the item's own id is taken).
    """

    def __init__(self, names: set[str], times: Sequence[int], *, streamed: bool) -> None:
        """``times`` are the arrivals of the reads."""
        self.streamed = streamed
        self.finish: str | None = None
        """The finish reason as a chat would give it; None: it has not ended."""
        self.status: str | None = None
        self.failed: Complaint | None = None
        """What the server said where the response failed."""
        self.ended = False
        self._names = names
        self._times = times
        self._said: dict[_Place, list[str]] = {}
        """The pieces of every text."""
        self._calls: dict[Any, _Call] = {}
        self._usage: Usage | None = None
        self._identity: dict[str, str] = {}
        self._first: dict[str, int] = {}
        """Arrival of the first output of all (``any``), and of the visible and the calling."""
        self._last_ns: int | None = None
        self._end_ns: int | None = None
        self._outputs: dict[int, int] = {}
        """Output events by the index of their read."""

    @property
    def has_output(self) -> bool:
        """Whether the model said anything."""
        return any(self._said.values()) or any(call.name for call in self._calls.values())

    def take(self, read: int, kind: str, event: JsonObject) -> None:
        """Add one event of a stream; ``read`` is the index of the read that ended it."""
        if channel := _DELTAS.get(kind):
            self._piece(read, channel, event, event.get("delta"))
        elif kind in _DONE:
            channel, name = _DONE[kind]
            self._done(read, channel, event, event.get(name))
        elif kind == "response.output_item.added":
            self._item(read, event.get("output_index"), event.get("item"))
        elif kind in _ENDS:
            self.end(read, event.get("response"))
        elif kind in ("response.created", "response.in_progress", "response.queued"):
            self._identify(event.get("response"))
        elif not kind.startswith("response."):
            self._names.add("unknown_event")

    def end(self, read: int, response: Any) -> None:
        """Take the whole response: all there is where nothing is streamed, else the end of the stream."""
        self.ended = True
        self._end_ns = self._times[read]
        if not isinstance(response, dict):
            response = {}
        self._identify(response)
        before = self._joined(_TEXT)
        output = response.get("output")
        items = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
        if self.has_output:
            self._compare(items, before)
        else:
            self._take_items(read, items)
        self._read_usage(response)
        self._conclude(response)

    def completion(self, *, ev1_ns: int) -> Completion:
        """What was added up; an answer that was not streamed has no marks but ``ev1_ns``."""
        names, marks = self._names, StreamMarks(ev1_ns=ev1_ns)
        outputs = self._outputs if self.streamed else {}
        if self.streamed:
            first = self._first.get
            marks = StreamMarks(
                ev1_ns=ev1_ns,
                tok1_ns=first("any"),
                vis1_ns=first("visible"),
                tool1_ns=first("tool"),
                tokn_ns=self._last_ns,
                fin_ns=self._end_ns,
                done_ns=self._end_ns,
            )
        calls = tuple(
            ToolCall(*(shapes.sound(text, names) for text in (call.id, call.name, self._joined(_CALL, key))))
            for key, call in self._calls.items()
        )
        said = {key: shapes.sound(value, names) for key, value in self._identity.items()}
        return Completion(
            text=shapes.sound(self._joined(_TEXT), names),
            # What was thought itself, where it is told; else its summary.
            reasoning=shapes.sound(self._joined(_THOUGHT) or self._joined(_SUMMARY), names),
            refusal=shapes.sound(self._joined(_REFUSAL), names),
            tool_calls=calls,
            finish_reason=None if self.finish is None else shapes.sound(self.finish, names),
            usage=self._usage,
            marks=marks,
            output_ns=tuple(map(self._times.__getitem__, outputs)),
            output_events=tuple(outputs.values()),
            response_id=said.get("id"),
            model=said.get("model"),
            deviations=tuple(sorted(names)),  # last, when all have been named
        )

    # --- pieces ------------------------------------------------------------------------------------------

    def _piece(self, read: int, channel: str, event: JsonObject, text: Any) -> None:
        if not isinstance(text, str):
            self._names.add("event_field_not_text")
            return
        if text and (said := self._at(channel, event)) is not None:
            said.append(text)
            self._mark(read, channel)

    def _done(self, read: int, channel: str, event: JsonObject, text: Any) -> None:
        """The end of a text repeats it; where no piece of it came, it is the text."""
        if not isinstance(text, str):
            return
        said = self._at(channel, event)
        if said is None or "".join(said) == text:
            return
        if said:
            self._names.add("done_differs")
            return
        self._names.add("text_not_streamed")
        said.append(text)
        self._mark(read, channel)

    def _at(self, channel: str, event: JsonObject) -> list[str] | None:
        """Where a piece belongs; None: there are too many places."""
        item = _key(event.get("output_index"))
        if channel == _CALL:
            if item not in self._calls:
                self._names.add("item_not_announced")
                self._calls[item] = _Call(id=_text(event.get("item_id")))
            place: _Place = (channel, item, None)
        else:
            part = event.get("summary_index") if channel == _SUMMARY else event.get("content_index")
            place = (channel, item, _key(part))
        if place not in self._said:
            if len(self._said) >= _MOST_PLACES:
                return None
            self._said[place] = []
        return self._said[place]

    def _item(self, read: int, index: Any, item: Any) -> None:
        """An item was added: the name of a call is output."""
        if not isinstance(item, dict) or item.get("type") not in _CALLS or len(self._calls) >= _MOST_PLACES:
            return
        call = self._calls.setdefault(_key(index), _Call())
        call.id = _text(item.get("call_id")) or call.id
        if not call.id:
            self._names.add("call_id_missing")
            call.id = _text(item.get("id"))
        call.name = _text(item.get("name")) or call.name
        if call.name:
            self._mark(read, _CALL)

    def _mark(self, read: int, channel: str) -> None:
        at_ns = self._times[read]
        self._last_ns = at_ns
        self._first.setdefault("any", at_ns)
        if channel in _VISIBLE:
            self._first.setdefault("visible", at_ns)
        elif channel == _CALL:
            self._first.setdefault("tool", at_ns)
        self._outputs[read] = self._outputs.get(read, 0) + 1

    def _joined(self, channel: str, item: Any = None) -> str:
        return "".join(
            piece for (at, of, _), said in self._said.items() if at == channel and item in (None, of) for piece in said
        )

    # --- the whole response ------------------------------------------------------------------------------

    def _take_items(self, read: int, items: list[JsonObject]) -> None:
        """Take all output from the whole response: as it should be where nothing is streamed."""
        for index, item in enumerate(items):
            kind, at = item.get("type"), {"output_index": index}
            if kind in _CALLS:
                self._item(read, index, item)
                self._take_text(read, _CALL, at, item.get(_CALLS[kind]))
            elif kind == "message":
                for place, part in _parts(item, "content"):
                    here = at | {"content_index": place}
                    self._take_text(read, _TEXT, here, part.get("text"))
                    self._take_text(read, _REFUSAL, here, part.get("refusal"))
            elif kind == "reasoning":
                for place, part in _parts(item, "content"):
                    self._take_text(read, _THOUGHT, at | {"content_index": place}, part.get("text"))
                for place, part in _parts(item, "summary"):
                    self._take_text(read, _SUMMARY, at | {"summary_index": place}, part.get("text"))
        if self.streamed and self.has_output:
            self._names.add("text_not_streamed")

    def _take_text(self, read: int, channel: str, at: JsonObject, text: Any) -> None:
        if isinstance(text, str) and text:
            self._piece(read, channel, at, text)

    def _compare(self, items: list[JsonObject], before: str) -> None:
        if not items:
            self._names.add("output_lost")
            return
        told = [
            part["text"]
            for item in items
            if item.get("type") == "message"
            for _, part in _parts(item, "content")
            if isinstance(part.get("text"), str)
        ]
        if "".join(told) != before:
            self._names.add("output_differs")

    def _identify(self, response: Any) -> None:
        if not isinstance(response, dict):
            return
        for key in ("id", "model"):
            value = response.get(key)
            if isinstance(value, str) and value and self._identity.setdefault(key, value) != value:
                self._names.add(f"{key}_changed")

    def _read_usage(self, response: JsonObject) -> None:
        found: set[str] = set()
        self._usage = shapes.usage({"usage": response.get("usage")}, {}, found)
        # The names that are foreign to a chat are right here, and the other way round.
        foreign = self._usage is not None and "usage_field_names" not in found
        self._names |= (found - {"usage_field_names"}) | ({"usage_field_names"} if foreign else set())

    def _conclude(self, response: JsonObject) -> None:
        status = response.get("status")
        self.status = status if isinstance(status, str) else None
        error = response.get("error")
        if error or self.status == "failed":
            self.failed = complaint({"error": error or {"message": "the response failed"}}, certain=True)
        elif self.status == "cancelled":
            self.failed = Complaint("the response was cancelled")
        elif self.status == "completed":
            self.finish = "tool_calls" if self._calls else "stop"
        elif self.status == "incomplete":
            details = response.get("incomplete_details")
            reason = details.get("reason") if isinstance(details, dict) else None
            self.finish = _REASONS.get(reason) if isinstance(reason, str) else None
            if self.finish is None:
                self._names.add("finish_unknown")
                self.finish = reason if isinstance(reason, str) and reason else "incomplete"


def _parts(item: JsonObject, name: str) -> list[tuple[int, JsonObject]]:
    """The parts of an item, with their places."""
    given = item.get(name)
    return [(n, one) for n, one in enumerate(given) if isinstance(one, dict)] if isinstance(given, list) else []


def _key(index: Any) -> Any:
    """An index as a key; 0 where none is stated, as there is then but one."""
    return index if isinstance(index, int | str) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
