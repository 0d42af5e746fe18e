"""The JSON of responses: whole ones and the chunks of streams."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.simulator.chance import draw
from harness.simulator.sounds import spoken as sound_of
from harness.simulator.speech import CONTENT, THOUGHT, Choice, Piece
from harness.simulator.thinking import shown
from harness.types import JsonObject

FINGERPRINT = "fp_simulator"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """Compact JSON; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    return _encode(value).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Shape:
    """Builds the objects of one response."""

    surface: Literal["chat", "text"]
    model: str
    created: int
    mutants: frozenset[str]
    id: str
    top_logprobs: int | None = None
    aloud: bool = False
    """Whether the answer is a sound; never in a stream."""

    def whole(self, choices: Sequence[Choice], usage: JsonObject) -> JsonObject:
        """The body of a response that is not streamed."""
        body = self._envelope(chunk=False)
        body["choices"] = [self._choice(choice) for choice in choices]
        if "no_usage" not in self.mutants:
            body["usage"] = usage
        return self._deviant(body) if self.mutants else body

    def _deviant(self, body: JsonObject) -> JsonObject:
        """A whole response as mutants send it."""
        if "created_ms" in self.mutants and "created" in body:
            body["created"] *= 1000
        if "no_service_tier" in self.mutants:
            del body["service_tier"]
        if "no_choices" in self.mutants:
            body["choices"] = []
        for choice in body["choices"]:
            if "wrong_role" in self.mutants and "message" in choice:
                choice["message"]["role"] = "bot"
            if "lean_answer" in self.mutants:
                for part in (choice, choice.get("message", {})):
                    for name in [name for name, value in part.items() if value is None]:
                        del part[name]
        return body

    def chunk(self, choices: list[JsonObject], usage: JsonObject | None, *, with_usage: bool) -> JsonObject:
        """One chunk; ``with_usage``: the field is there, null where ``usage`` is None."""
        body = self._envelope(chunk=True)
        body["choices"] = choices
        if with_usage:
            body["usage"] = usage
        return body

    def delta(self, index: int, delta: JsonObject, finish: str | None = None, piece: Piece | None = None) -> JsonObject:
        """One choice of a chunk; ``piece`` is the content token whose logprob is told, where asked for."""
        told = None
        if self.top_logprobs is not None and piece is not None and piece.call == CONTENT:
            told = {"content": [self._logprob(piece.text)], "refusal": None}
        if self.surface == "text":
            return {"index": index, "text": delta.get("content") or "", "logprobs": told, "finish_reason": finish}
        key = "message" if "message_not_delta" in self.mutants else "delta"
        return {"index": index, key: delta, "logprobs": told, "finish_reason": finish}

    def text_delta(self, piece: Piece) -> JsonObject:
        """The delta of one token of the text, or of what is thought before it."""
        return shown(piece.text, self.mutants, chunk=True) if piece.call == THOUGHT else {"content": piece.text}

    def call_delta(self, choice: Choice, piece: Piece) -> JsonObject:
        """The delta of one token of a call: first id, type and name, then pieces of the arguments."""
        call: JsonObject = {"index": 0 if "tool_index_zero" in self.mutants else piece.call}
        if "tool_no_index" in self.mutants:
            del call["index"]
        if piece.head or "tool_head_repeated" in self.mutants:
            name = choice.arguments(piece.call)[0]
            call |= {"id": choice.ids[piece.call], "type": "function", "function": {"name": name, "arguments": ""}}
            if "tool_no_id" in self.mutants:
                del call["id"]
        if not piece.head:
            call.setdefault("function", {})["arguments"] = piece.text
        return {"tool_calls": [call]}

    def _envelope(self, *, chunk: bool) -> JsonObject:
        kind = {"chat": "chat.completion.chunk" if chunk else "chat.completion", "text": "text_completion"}[
            self.surface
        ]
        body: JsonObject = {
            "id": self.id,
            "object": "completion.part" if "wrong_object" in self.mutants else kind,
            "created": self.created,
            "model": "other-model" if "other_model" in self.mutants else self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_other" if "other_fingerprint" in self.mutants else FINGERPRINT,
        }
        if chunk and "changing_id" in self.mutants:
            body["id"] = f"chatcmpl-{secrets.token_hex(12)}"
        if "no_id" in self.mutants:
            del body["id"]
        if "no_created" in self.mutants:
            del body["created"]
        return body

    def _choice(self, choice: Choice) -> JsonObject:
        finish = None if "finish_null" in self.mutants else choice.finish
        told = None
        if self.top_logprobs is not None and not choice.calls:
            spoken = [self._logprob(piece.text) for piece in choice.pieces if piece.call == CONTENT]
            told = {"content": spoken, "refusal": None}
        if self.surface == "text":
            return {"index": choice.index, "text": choice.text, "logprobs": told, "finish_reason": finish}
        text = choice.text if choice.text or not choice.calls else None
        message: JsonObject = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        message |= shown(choice.thought, self.mutants, chunk=False)
        if self.aloud and text is not None:
            message |= {"content": None, "audio": sound_of(text, self.created)}
        if choice.calls:
            message["tool_calls"] = [self._call(choice, number) for number in range(choice.calls)]
        return {"index": choice.index, "message": message, "logprobs": told, "finish_reason": finish}

    def _call(self, choice: Choice, number: int) -> JsonObject:
        name, arguments = choice.arguments(number)
        given: Any = arguments
        if "tool_arguments_object" in self.mutants:
            given = json.loads(arguments) if arguments.endswith("}") else {}
        call = {"id": choice.ids[number], "type": "function", "function": {"name": name, "arguments": given}}
        if "tool_no_id" in self.mutants:
            del call["id"]
        return call

    def _logprob(self, token: str) -> JsonObject:
        """A made-up log probability, the same for the same token; the token sent is always the likeliest."""
        rng = draw(0, token)
        chosen = round(-0.3 * rng.random(), 4)
        others = [(f" alt{number}", round(chosen - number - rng.random(), 4)) for number in range(1, 20)]
        ranked = [(token, chosen), *others][: self.top_logprobs]
        return {**_named(token, chosen), "top_logprobs": [_named(other, value) for other, value in ranked]}


def _named(token: str, value: float) -> JsonObject:
    return {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "replace"))}
