"""The objects of one answer, streamed or whole, added up to a completion with its marks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from harness.exchange import Completion, StreamMarks, Usage
from harness.types import JsonObject
from harness.wire import shapes
from harness.wire.template import Template
from harness.wire.toolcalls import Calls, pieces

_USUAL = frozenset({"role", "content"})
_IDENTITY = ("id", "model", "system_fingerprint", "object")


def choices_of(chunk: JsonObject) -> Sequence[JsonObject]:
    """The choices of one object that are objects themselves."""
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return (choices,) if isinstance(choices, dict) else ()
    if len(choices) == 1 and isinstance(choices[0], dict):
        return choices
    return [choice for choice in choices if isinstance(choice, dict)]


def wanted_choice(listed: Iterable[Sequence[JsonObject]], names: set[str]) -> int | None:
    """Index of the choice to read, given ``choices_of`` each object; None: there is only one, whatever its index says.

    Names: ``many_choices`` (n > 1: the lowest index is read), ``choice_index_wrong`` (one choice, but not 0),
    ``choice_index_missing``, ``choice_index_counts`` (it counts the chunks instead of the choices).
    """
    seen: list[int] = []
    crowded = False
    finishes = 0
    for choices in listed:
        crowded |= len(choices) > 1
        for choice in choices:
            seen.append(_index(choice, names))
            finishes += bool(choice.get("finish_reason"))
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
    ``usage_beside_choices``, ``usage_repeated``, ``usage_decreased``, ``cumulative_text``, ``text_repeated_at_end``,
    ``cumulative_reasoning``, ``reasoning_repeated_at_end``.
    """

    def __init__(self, names: set[str], times: Sequence[int], *, streamed: bool, choice: int | None) -> None:
        """``times`` are the arrivals of the reads; ``choice`` is what ``wanted_choice`` said."""
        self.names = names
        self.finish: str | None = None
        self._times = times
        self._streamed = streamed
        self._choice = choice
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls = Calls(names, streamed=streamed)
        self._usage: Usage | None = None
        self._said: dict[str, str] = {}
        self._stated: tuple[Any, ...] = ()
        """Identity of the object before."""
        self._roles = 0
        self._output_ns: int | None = None
        self._visible_ns: int | None = None
        self._tool_ns: int | None = None
        self._finish_ns: int | None = None
        self._last_output_ns: int | None = None
        self._outputs: dict[int, int] = {}
        """Output events by the index of their read."""

    def take(self, read: int, chunk: JsonObject, choices: Sequence[JsonObject]) -> None:
        """Add one object and ``choices_of`` it; ``read`` is the index of the read that ended it."""
        self._identify(chunk)
        choice = choices[0] if choices and self._choice is None else next(filter(self._wanted, choices), None)
        counted = self._take_usage(chunk, choice or {}, beside=bool(choices))
        if choice is None:
            if not choices and not counted:
                self.names.add("empty_choices" if "choices" in chunk else "unknown_event")
            return
        visible, tool, other = self._take_message(self._message(choice))
        if visible or tool or other:
            self._mark_output((read,), visible=visible, tool=tool)
        reason = shapes.finish_reason(choice, self.names)
        if reason is not None:
            if self.finish is None:
                self._finish_ns = self._times[read]
            else:
                self.names.add("finish_repeated" if reason == self.finish else "finish_changed")
            self.finish = self.finish or reason

    def take_run(self, template: Template, texts: Sequence[str], reads: Sequence[int]) -> None:
        """Add events that fit a template which was taken before; as if each had been taken with ``take``.

        Their object differs from the template's in the text alone, so nothing else of it can be new a second time but
        the role.
        """
        if not self._wanted(template.choice):
            return
        role = template.delta.get("role")
        if role:
            self._take_role(role)
        if "" in texts:
            reads = [read for read, text in zip(reads, texts, strict=True) if text]
            texts = [text for text in texts if text]
        if texts:
            visible = template.key == "content"
            (self._text if visible else self._reasoning).extend(texts)
            self._mark_output(reads, visible=visible, tool=False)

    def _wanted(self, choice: JsonObject) -> bool:
        return self._choice is None or self._choice == _index(choice, self.names)

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
        for pieces_of, what in ((self._text, "text"), (self._reasoning, "reasoning")):
            how = shapes.repeats(pieces_of)
            if how:
                names.add(f"cumulative_{what}" if how == "cumulative" else f"{what}_repeated_at_end")
        calls = self._calls.result()
        said = {key: shapes.sound(value, names) for key, value in self._said.items()}
        marks = StreamMarks(ev1_ns=ev1_ns)
        if self._streamed:
            marks = StreamMarks(
                ev1_ns=ev1_ns,
                tok1_ns=self._output_ns,
                vis1_ns=self._visible_ns,
                tool1_ns=self._tool_ns,
                tokn_ns=self._last_output_ns,
                fin_ns=self._finish_ns,
                done_ns=done_ns,
            )
        outputs = self._outputs if self._streamed else {}
        return Completion(
            text=shapes.sound("".join(self._text), names),
            reasoning=shapes.sound("".join(self._reasoning), names),
            refusal=shapes.sound("".join(self._refusal), names),
            tool_calls=calls,
            finish_reason=None if self.finish is None else shapes.sound(self.finish, names),
            usage=self._usage,
            marks=marks,
            output_ns=tuple(map(self._times.__getitem__, outputs)),
            output_events=tuple(outputs.values()),
            response_id=said.get("id"),
            model=said.get("model"),
            system_fingerprint=said.get("system_fingerprint"),
            deviations=tuple(sorted(names)),  # last, when all have been named
        )

    def _identify(self, chunk: JsonObject) -> None:
        get = chunk.get
        stated = (get("id"), get("model"), get("system_fingerprint"), get("object"))
        if stated == self._stated:
            return
        self._stated = stated
        for key, value in zip(_IDENTITY[:-1], stated[:-1], strict=True):
            if isinstance(value, str) and value and self._said.setdefault(key, value) != value:
                self.names.add(f"{key}_changed")
        expected = "chat.completion.chunk" if self._streamed else "chat.completion"
        if chunk.get("object", expected) != expected:
            self.names.add("object_unexpected")

    def _take_usage(self, chunk: JsonObject, choice: JsonObject, *, beside: bool) -> bool:
        if chunk.get("usage") is None and "x_groq" not in chunk and "usage" not in choice:
            return False
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

    def _take_message(self, message: JsonObject) -> tuple[bool, bool, bool]:
        """Whether it had visible text, a piece of a tool call, other output."""
        role, content = message.get("role"), message.get("content")
        if role:
            self._take_role(role)
        if message.keys() <= _USUAL and (content is None or isinstance(content, str)):
            if content:
                self._text.append(content)
            return bool(content), False, False
        said = shapes.texts(message, self.names)
        for text, parts in (
            (said.reasoning, self._reasoning),
            (said.content, self._text),
            (said.refusal, self._refusal),
        ):
            if text:
                parts.append(text)
        tool = False
        for piece in pieces(message, self.names):
            self._calls.add(piece)
            tool |= piece.output
        return bool(said.content or said.refusal), tool, bool(said.reasoning)

    def _take_role(self, role: Any) -> None:
        if role != "assistant":
            self.names.add("role_unexpected")
        self._roles += 1
        if self._roles > 1:
            self.names.add("role_repeated")

    def _mark_output(self, reads: Sequence[int], *, visible: bool, tool: bool) -> None:
        """Note output events that these reads ended, one for each."""
        if self.finish is not None:
            self.names.add("output_after_finish")
        first_ns = self._times[reads[0]]
        self._last_output_ns = self._times[reads[-1]]
        if self._output_ns is None:
            self._output_ns = first_ns
        if visible and self._visible_ns is None:
            self._visible_ns = first_ns
        if tool and self._tool_ns is None:
            self._tool_ns = first_ns
        if isinstance(reads, range) and reads[0] not in self._outputs:  # a read for each event, all of them later ones
            self._outputs.update(dict.fromkeys(reads, 1))
            return
        for read in reads:
            self._outputs[read] = self._outputs.get(read, 0) + 1


def _later(before: Usage, after: Usage) -> Usage:
    """The later counts, with those of before that the later ones do not state."""
    stated = {key: value for key, value in dataclasses.asdict(after).items() if value is not None}
    return dataclasses.replace(before, **stated)
