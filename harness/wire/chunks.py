"""The objects of one answer, streamed or whole, added up to a completion with its marks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any, Literal

from harness.types import Completion, JsonObject, StreamMarks, Usage
from harness.wire import shapes
from harness.wire.sse import Event
from harness.wire.toolcalls import Calls, pieces

EventClass = Literal[
    "role_only",
    "empty",
    "reasoning",
    "content",
    "refusal",
    "tool_name",
    "tool_args",
    "usage",
    "finish",
    "error",
    "unknown",
]
OUTPUT: frozenset[EventClass] = frozenset({"reasoning", "content", "refusal", "tool_name", "tool_args"})
"""Classes of events in which the model said something."""


def wanted_choice(chunks: Iterable[JsonObject], names: set[str]) -> int | None:
    """Index of the choice to read; None: there is only one, whatever its index says.

    Names: ``many_choices`` (n > 1: the lowest index is read), ``choice_index_wrong`` (one choice, but not 0),
    ``choice_index_missing``, ``choice_index_counts`` (it counts the chunks instead of the choices).
    """
    seen: list[int] = []
    crowded = False
    finishes = 0
    for chunk in chunks:
        choices = _choices(chunk)
        crowded |= len(choices) > 1
        seen += [_index(choice, names) for choice in choices]
        finishes += sum(1 for choice in choices if choice.get("finish_reason"))
    distinct = set(seen)
    if len(distinct) <= 1:
        if distinct - {0}:
            names.add("choice_index_wrong")
        if crowded:
            names.add("many_choices")
        return None
    if not crowded and len(distinct) > 2 and finishes <= 1 and all(a < b for a, b in itertools.pairwise(seen)):
        names.add("choice_index_counts")
        return None
    names.add("many_choices")
    return min(distinct)


def _choices(chunk: JsonObject) -> list[JsonObject]:
    choices = chunk.get("choices")
    listed = choices if isinstance(choices, list) else [choices]
    return [choice for choice in listed if isinstance(choice, dict)]


def _index(choice: JsonObject, names: set[str]) -> int:
    index = choice.get("index")
    if isinstance(index, int) and not isinstance(index, bool):
        return index
    names.add("choice_index_missing")
    return 0


class Chunks:
    """Adds up the objects of one answer.

    Names, beside those of ``shapes`` and ``toolcalls``: ``message_not_delta``, ``message_beside_delta``,
    ``message_repeats_text``, ``delta_not_message``, ``text_field``, ``no_delta``, ``role_repeated``,
    ``role_unexpected``, ``empty_choices``, ``unknown_event``, ``object_unexpected``, ``id_changed``, ``model_changed``,
    ``system_fingerprint_changed``, ``output_after_finish``, ``finish_repeated``, ``finish_changed``,
    ``finish_without_tool_calls``, ``usage_beside_choices``, ``usage_repeated``, ``usage_decreased``,
    ``cumulative_text``, ``text_repeated_at_end``, ``cumulative_reasoning``, ``reasoning_repeated_at_end``.
    """

    def __init__(self, names: set[str], *, streamed: bool, choice: int | None) -> None:
        """``choice`` is what ``wanted_choice`` said."""
        self.names = names
        self.finish: str | None = None
        self._streamed = streamed
        self._choice = choice
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls = Calls(names, streamed=streamed)
        self._usage: Usage | None = None
        self._said: dict[str, str] = {}
        self._roles = 0
        self._first: dict[str, int] = {}
        self._last_output_ns: int | None = None
        self._outputs: dict[int, tuple[int, int]] = {}

    def take(self, event: Event, chunk: JsonObject) -> set[EventClass]:
        """Add one object; tells the classes of the event that held it."""
        self._identify(chunk)
        choices = _choices(chunk)
        choice = next((one for one in choices if self._choice in (None, _index(one, self.names))), None)
        kinds: set[EventClass] = set()
        if self._take_usage(chunk, choice or {}, beside=bool(choices)):
            kinds.add("usage")
        if choice is None:
            if not choices and not kinds:
                self.names.add("empty_choices" if "choices" in chunk else "unknown_event")
                kinds.add("empty" if "choices" in chunk else "unknown")
            return kinds
        finished = self.finish is not None
        kinds |= self._take_message(self._message(choice))
        if kinds & OUTPUT:
            self._mark_output(event, kinds)
            if finished:
                self.names.add("output_after_finish")
        reason = shapes.finish_reason(choice, self.names)
        if reason is not None:
            kinds.add("finish")
            self._first.setdefault("finish", event.at_ns)
            if self.finish is not None:
                self.names.add("finish_repeated" if reason == self.finish else "finish_changed")
            self.finish = self.finish or reason
        return kinds or {"empty"}

    @property
    def has_output(self) -> bool:
        """Whether any output was added."""
        return self._last_output_ns is not None

    @property
    def completion_tokens(self) -> int | None:
        """As the server states them; None: not stated."""
        return self._usage.completion_tokens if self._usage else None

    def completion(self, *, ev1_ns: int | None, done_ns: int | None) -> Completion:
        """What was added up; an answer that was not streamed has no marks but ``ev1_ns``."""
        names = self.names
        for pieces_of, cumulative, repeated in (
            (self._text, "cumulative_text", "text_repeated_at_end"),
            (self._reasoning, "cumulative_reasoning", "reasoning_repeated_at_end"),
        ):
            how = shapes.repeats(pieces_of)
            if how:
                names.add(cumulative if how == "cumulative" else repeated)
        calls = self._calls.result()
        if self.finish == "tool_calls" and not calls:
            names.add("finish_without_tool_calls")
        text, reasoning, refusal = (
            shapes.sound("".join(parts), names) for parts in (self._text, self._reasoning, self._refusal)
        )
        said = {key: shapes.sound(value, names) for key, value in self._said.items()}
        marks = StreamMarks(ev1_ns=ev1_ns)
        if self._streamed:
            marks = StreamMarks(
                ev1_ns=ev1_ns,
                tok1_ns=self._first.get("output"),
                vis1_ns=self._first.get("visible"),
                tool1_ns=self._first.get("tool"),
                tokn_ns=self._last_output_ns,
                fin_ns=self._first.get("finish"),
                done_ns=done_ns,
            )
        outputs = tuple(self._outputs.values()) if self._streamed else ()
        return Completion(
            text=text,
            reasoning=reasoning,
            refusal=refusal,
            tool_calls=calls,
            finish_reason=None if self.finish is None else shapes.sound(self.finish, names),
            usage=self._usage,
            marks=marks,
            output_ns=tuple(at_ns for at_ns, _ in outputs),
            output_events=tuple(count for _, count in outputs),
            deviations=tuple(sorted(names)),
            response_id=said.get("id"),
            model=said.get("model"),
            system_fingerprint=said.get("system_fingerprint"),
        )

    def _identify(self, chunk: JsonObject) -> None:
        for key in ("id", "model", "system_fingerprint"):
            value = chunk.get(key)
            if isinstance(value, str) and value and self._said.setdefault(key, value) != value:
                self.names.add(f"{key}_changed")
        expected = "chat.completion.chunk" if self._streamed else "chat.completion"
        if chunk.get("object", expected) != expected:
            self.names.add("object_unexpected")

    def _take_usage(self, chunk: JsonObject, choice: JsonObject, *, beside: bool) -> bool:
        read = shapes.usage(chunk, choice, self.names)
        if read is None:
            return False
        if self._streamed and beside:
            self.names.add("usage_beside_choices")
        if self._usage is not None:
            self.names.add("usage_repeated")
            if (read.completion_tokens or 0) < (self._usage.completion_tokens or 0):
                self.names.add("usage_decreased")
        self._usage = read if self._usage is None else _later(self._usage, read)
        return True

    def _message(self, choice: JsonObject) -> JsonObject:
        """The object that holds what the model said, under the name it should have or another one."""
        delta, message = choice.get("delta"), choice.get("message")
        right, other = (delta, message) if self._streamed else (message, delta)
        if isinstance(right, dict) and (right or not isinstance(other, dict)):
            if isinstance(other, dict):
                self.names.add("message_beside_delta")
            return right
        if isinstance(other, dict):
            self.names.add("message_not_delta" if self._streamed else "delta_not_message")
            if self._streamed and self._text and other.get("content") == "".join(self._text):
                self.names.add("message_repeats_text")
                return {**other, "content": None}
            return other
        if isinstance(choice.get("text"), str):
            self.names.add("text_field")
            return {"content": choice["text"]}
        self.names.add("no_delta")
        return {}

    def _take_message(self, message: JsonObject) -> set[EventClass]:
        kinds: set[EventClass] = set()
        said = shapes.texts(message, self.names)
        channels: tuple[tuple[str, list[str], EventClass], ...] = (
            (said.reasoning, self._reasoning, "reasoning"),
            (said.content, self._text, "content"),
            (said.refusal, self._refusal, "refusal"),
        )
        for text, parts, kind in channels:
            if text:
                parts.append(text)
                kinds.add(kind)
        for piece in pieces(message, self.names):
            self._calls.add(piece)
            if piece.name:
                kinds.add("tool_name")
            if piece.arguments:
                kinds.add("tool_args")
        if message.get("role"):
            self._take_role(message["role"])
            kinds = kinds or {"role_only"}
        return kinds

    def _take_role(self, role: Any) -> None:
        if role != "assistant":
            self.names.add("role_unexpected")
        self._roles += 1
        if self._roles > 1:
            self.names.add("role_repeated")

    def _mark_output(self, event: Event, kinds: set[EventClass]) -> None:
        self._last_output_ns = event.at_ns
        self._first.setdefault("output", event.at_ns)
        if kinds & {"content", "refusal"}:
            self._first.setdefault("visible", event.at_ns)
        if kinds & {"tool_name", "tool_args"}:
            self._first.setdefault("tool", event.at_ns)
        _, count = self._outputs.get(event.read, (0, 0))
        self._outputs[event.read] = (event.at_ns, count + 1)


def _later(before: Usage, after: Usage) -> Usage:
    """The later counts, with those of before that the later ones do not state."""
    stated = {key: value for key, value in dataclasses.asdict(after).items() if value is not None}
    return dataclasses.replace(before, **stated)
