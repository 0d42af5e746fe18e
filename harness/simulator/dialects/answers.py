"""Answers in a dialect: envelope, messages, usage, the order of a stream, headers, lists of models, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.simulator.dialects import template
from harness.simulator.model.speech import THOUGHT, Choice, Piece
from harness.simulator.refusal import Refusal
from harness.simulator.serving import replies
from harness.simulator.serving.turn import Turn
from harness.simulator.surfaces.events import Answer, Script
from harness.simulator.surfaces.shapes import Shape, dumps
from harness.types import JsonObject

if TYPE_CHECKING:
    # Its checks take a while to set up, and few simulators speak one.
    from harness.simulator.dialects.dialect import Dialect, Error, UsagePlace

_UNDOCUMENTED = {"error": {"message": "{message}"}}
"""The body of an error of which the documents say nothing."""
_OURS = ("service_tier", "system_fingerprint")
"""What the simulator's own envelope holds and a dialect has only where it says so."""
_OURS_IN_MESSAGE = ("refusal", "annotations")


@dataclass(frozen=True, slots=True)
class DialectShape(Shape):
    """Builds the objects of one response as the dialect has them."""

    dialect: Dialect | None = None
    values: Mapping[str, Any] | None = None
    """What the placeholders stand for, without counts of tokens."""

    @property
    def spoken(self) -> Dialect:
        """The dialect."""
        assert self.dialect is not None
        return self.dialect

    def fill(self, wanted: Any, **more: Any) -> Any:
        """A template with what is known of this response."""
        return template.fill(wanted, {**(self.values or {}), **more})

    def whole(self, choices: Sequence[Choice], usage: JsonObject) -> JsonObject:
        """The body of a response that is not streamed."""
        body = Shape.whole(self, choices, usage)
        answer = self.spoken.answer
        for choice, said in zip(body["choices"], choices, strict=False):
            choice["finish_reason"] = self.finish(choice["finish_reason"])
            choice["message"] = self._message(choice["message"], said)
            if choice.get("logprobs") is None:
                choice.pop("logprobs", None)
            choice.update(self.fill(answer.choice, finish=said.finish))
        if "usage" in body:
            body["usage"] = self.counted(body["usage"])
        counts = counts_of(usage)
        return {**_lean(body), **self.fill(answer.every, **counts), **self.fill(answer.whole, **counts)}

    def bare_chunk(self, choices: list[JsonObject]) -> JsonObject:
        """One chunk without usage: where that stands is the stream's business."""
        body = self.chunk(choices, None, with_usage=False)
        return {**_lean(body), **self.fill(self.spoken.answer.every), **self._of_stream("chunk")}

    def delta(
        self, index: int, delta: JsonObject, finish: str | None = None, pieces: Sequence[Piece] = (), at: int = 0
    ) -> JsonObject:
        """One choice of a chunk."""
        choice = Shape.delta(self, index, _without(delta, _OURS_IN_MESSAGE), self.finish(finish), pieces, at)
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
        return choice | self._of_stream("choice")

    def text_delta(self, piece: Piece) -> JsonObject:
        """The delta of one token of the text, or of what is thought before it."""
        reasoning = self.spoken.reasoning
        if piece.call != THOUGHT or reasoning is None:
            return Shape.text_delta(self, piece)
        if reasoning.delta is not None:
            return dict(self.fill(reasoning.delta, thought=piece.text))
        return {reasoning.field: piece.text}

    def finish(self, reason: str | None) -> str | None:
        """A finish reason as the dialect calls it."""
        return None if reason is None else self.spoken.answer.finish.get(reason, reason)

    def counted(self, usage: JsonObject) -> JsonObject:
        """The object ``usage``."""
        return dict(self.fill(self.spoken.usage.block, **counts_of(usage)))

    def _of_stream(self, part: str) -> JsonObject:
        stream = self.spoken.stream
        return {} if stream is None else dict(self.fill(getattr(stream, part)))

    def _message(self, message: JsonObject, said: Choice) -> JsonObject:
        lean = _without(message, (*_OURS_IN_MESSAGE, "reasoning_content"))
        reasoning = self.spoken.reasoning
        if said.thought and reasoning is not None:
            shown = reasoning.message or {reasoning.field: "{thought}"}
            lean |= self.fill(shown, thought=said.thought, text=said.text)
        return {**lean, **self.fill(self.spoken.answer.message)}


class DialectScript(Script):
    """Makes the events of one answer as the dialect orders them."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        assert isinstance(answer.shape, DialectShape)
        self._shape: DialectShape = answer.shape
        dialect = self._shape.spoken
        self._stream = dialect.stream
        self._places = [place for place in dialect.usage.stream if place.when == "always" or answer.include_usage]

    def roles(self) -> list[bytes]:
        """Comments, opening chunks and the first delta."""
        stream, shape = self._stream, self._shape
        if stream is None:
            return super().roles()
        events = [f": {comment}\n\n".encode() for comment in stream.comments]
        events += [self._object({**shape.bare_chunk([]), **shape.fill(one)}) for one in stream.opening]
        for choice in self._answer.choices if "no_role" not in self._mutants else ():
            delta = shape.delta(choice.index, {"role": "assistant", "content": None if choice.calls else ""})
            events.append(self._made([delta], shape.fill(stream.first)))
        return events

    def finishes(self) -> list[bytes]:
        """The chunks with the finish reasons."""
        events = []
        last = {} if self._stream is None else self._shape.fill(self._stream.last, **counts_of(self._answer.usage))
        for choice in self._answer.choices:
            rest = choice.pieces[len(self._pieces[choice.index]) :]
            delta = self._shape.delta(choice.index, {"content": rest[0].text} if rest else {}, choice.finish, rest)
            events.append(self._made([delta], last, "last_choice"))
        return events

    def usages(self) -> list[bytes]:
        """Chunks that hold usage and no choice."""
        if not any(one.place == "own_chunk" for one in self._places):
            return []
        added = {} if self._stream is None else self._stream.usage_chunk
        return [self._made([], self._shape.fill(added, **counts_of(self._answer.usage)), "own_chunk")]

    def _event(self, choices: Sequence[JsonObject], usage: JsonObject | None = None) -> bytes:  # noqa: ARG002 - it stands elsewhere
        return self._made(choices, {})

    def _made(self, choices: Sequence[JsonObject], added: JsonObject, place: str = "") -> bytes:
        """One chunk with all that stands in it; ``place``: which places of usage it is."""
        chunk = {**self._shape.bare_chunk(list(choices)), **added}
        for one in self._places:
            if one.place in (place, "every_chunk"):
                _put(chunk, one, self._shape.counted(self._answer.usage))
            elif one.nulls:
                _put(chunk, one, None)
        return self._object(chunk)

    def _object(self, chunk: JsonObject) -> bytes:
        return self._framed(dumps(chunk))


def _put(chunk: JsonObject, place: UsagePlace, usage: JsonObject | None) -> None:
    outer = place.field.partition(".")[0]
    if isinstance(chunk.get(outer), dict):
        chunk[outer] = dict(chunk[outer])
    template.put(chunk, place.field, usage)


def shaped(shape: Shape, dialect: Dialect, turn: Turn) -> Shape:
    """The shape of a chat as the dialect has it; other surfaces stay the simulator's own."""
    if type(shape) is not Shape or shape.surface != "chat":
        return shape
    named = {
        **turn.values,
        "request_id": turn.name,
        "id": shape.id.partition("-")[2],
        "created": shape.created,
        "model": shape.model,
    }
    own = {one.name: getattr(shape, one.name) for one in fields(shape)}
    identity = template.fill(dialect.answer.id, named)
    return DialectShape(**{**own, "id": identity}, dialect=dialect, values={**named, "id": identity})


def counts_of(usage: JsonObject) -> dict[str, int]:
    """The counts that placeholders stand for, of the simulator's own ``usage``."""
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    reasoning = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    return {
        "prompt": prompt,
        "completion": completion,
        "visible": completion - reasoning,
        "reasoning": reasoning,
        "cached": cached,
        "uncached": prompt - cached,
        "total": prompt + completion,
    }


def headers(dialect: Dialect, turn: Turn, *, error: bool) -> list[tuple[str, str]]:
    """The headers of a response, ``connection`` the last of them."""
    wanted = ("always", "error" if error else "success")
    found = {}
    for group in dialect.headers:
        if group.when in wanted:
            found.update(template.fill(group.of, {"request_id": turn.name, **turn.values}))
    return [
        *((name, str(value)) for name, value in found.items()),
        ("connection", "close" if turn.closes else "keep-alive"),
    ]


def listed(dialect: Dialect, names: Sequence[str], created: int) -> Any:
    """The answer to a request for the models."""
    return template.fill(dialect.models.shape, {"models": [item(dialect, name, created) for name in names]})


def item(dialect: Dialect, name: str, created: int) -> JsonObject:
    """One model of the list."""
    return dict(template.fill(dialect.models.item, {"model": name, "created": created}))


def error(dialect: Dialect | None, refusal: Refusal, turn: Turn) -> tuple[int, str, bytes, dict[str, str]]:
    """Status, content type, body and headers of an error; ``dialect`` None: those of the documented API."""
    if dialect is None:
        return (*replies.error(refusal, turn.mutants), refusal.headers)
    known = _error(dialect, refusal)
    values = {
        "message": refusal.message,
        "param": refusal.param,
        "value": refusal.value,
        "request_id": turn.name,
        **turn.values,
    }
    told: Mapping[str, str] = {}
    if refusal.body is not None:
        status, body = refusal.status, refusal.body
    elif known is not None:
        status, body, told = refusal.own_status or known.status, known.body, known.headers
    else:
        status, body, told = refusal.status, _UNDOCUMENTED, refusal.headers
    filled = template.fill(body, values)
    data, kind = (filled.encode(), "text/plain") if isinstance(filled, str) else (dumps(filled), replies.JSON)
    return status, kind, data, dict(template.fill(told, values))


def _error(dialect: Dialect, refusal: Refusal) -> Error | None:
    """What the dialect has for an error; None: nothing of its own."""
    errors = dialect.errors
    if refusal.status == 401:
        return errors.key if refusal.code == "invalid_api_key" else errors.no_key or errors.key
    if refusal.code == "model_not_found":
        return errors.model
    if refusal.status == 429:
        return errors.limit
    if refusal.status in (400, 422):
        return errors.request
    return errors.server if refusal.status >= 500 else None


def _lean(body: JsonObject) -> JsonObject:
    return _without(body, _OURS)


def _without(held: JsonObject, names: Sequence[str]) -> JsonObject:
    return {name: value for name, value in held.items() if name not in names}
