"""The JSON of responses: whole ones and the chunks of streams."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.simulator.model.chance import draw
from harness.simulator.model.sounds import spoken as sound_of
from harness.simulator.model.speech import CONTENT, THOUGHT, Choice, Piece
from harness.simulator.model.thinking import shown
from harness.simulator.surfaces import legacy
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
    custom: frozenset[str] = frozenset()
    """Names of tools that take free text."""
    legacy: bool = False
    """Whether a call is told in the older form, ``function_call``."""
    aloud: bool = False
    """Whether the answer is a sound; never in a stream."""
    backend: str | None = None
    """Who is said to have answered; None: nobody is named."""

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

    def delta(
        self, index: int, delta: JsonObject, finish: str | None = None, pieces: Sequence[Piece] = (), at: int = 0
    ) -> JsonObject:
        """One choice of a chunk; ``pieces`` are the content tokens whose logprobs are told, where asked for.

        ``at``: where they stand in the text of their choice.
        """
        mutants = self.mutants
        if self.surface == "text":
            return self._text(index, delta.get("content") or "", finish, at, told=bool(pieces))
        told = None
        if (
            self.top_logprobs is not None
            and pieces
            and pieces[0].call == CONTENT
            and "stream_no_logprobs" not in mutants
        ):
            off = "stream_logprobs_off" in mutants
            told = {"content": [self._told(piece, off=off) for piece in pieces], "refusal": None}
        key = "message" if "message_not_delta" in mutants else "delta"
        index = 0 if "choices_same_index" in mutants else index
        choice: JsonObject = {"index": index, key: delta, "logprobs": told, "finish_reason": finish}
        if "no_choice_index" in mutants:
            del choice["index"]
        if finish is None and "no_finish_key" in mutants:
            del choice["finish_reason"]
        if finish is not None and "no_delta" in mutants:
            choice.pop("delta", None)
        return choice

    def text_delta(self, piece: Piece) -> JsonObject:
        """The delta of one token of the text, or of what is thought before it."""
        return shown(piece.text, self.mutants, chunk=True) if piece.call == THOUGHT else {"content": piece.text}

    def call_delta(self, choice: Choice, piece: Piece) -> JsonObject:
        """The delta of one token of a call: first id, type and name, then pieces of the arguments."""
        name = choice.arguments(piece.call)[0]
        kind, field = ("custom", "input") if name in self.custom else ("function", "arguments")
        if self.legacy:
            return {"function_call": {"name": name, field: ""} if piece.head else {field: piece.text}}
        call: JsonObject = {"index": 0 if "tool_index_zero" in self.mutants else piece.call}
        if "tool_no_index" in self.mutants:
            del call["index"]
        if piece.head or "tool_head_repeated" in self.mutants:
            call |= {"id": choice.ids[piece.call], "type": kind, kind: {"name": name, field: ""}}
            if "tool_no_id" in self.mutants:
                del call["id"]
        if not piece.head:
            call.setdefault(kind, {})[field] = piece.text
        return {"tool_calls": [call]}

    def _envelope(self, *, chunk: bool) -> JsonObject:
        kind = {"chat": "chat.completion.chunk" if chunk else "chat.completion", "text": "text_completion"}[
            self.surface
        ]
        if "cpl_chat_object" in self.mutants:
            kind = "chat.completion.chunk" if chunk else "chat.completion"
        body: JsonObject = {
            "id": self.id,
            "object": "completion.part" if "wrong_object" in self.mutants else kind,
            "created": self.created,
            "model": "other-model" if "other_model" in self.mutants else self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_other" if "other_fingerprint" in self.mutants else FINGERPRINT,
        }
        if self.backend is not None:
            body["provider"] = self.backend
        if chunk:
            self._change(body)
        if "no_id" in self.mutants:
            del body["id"]
        if "no_created" in self.mutants:
            del body["created"]
        return body

    def _change(self, body: JsonObject) -> None:
        """The deviations of chunks alone."""
        odd = secrets.token_hex(12)
        if "changing_id" in self.mutants:
            body["id"] = f"chatcmpl-{odd}"
        if "changing_model" in self.mutants:
            body["model"] = f"model-{odd}"
        if "changing_created" in self.mutants:
            body["created"] = self.created + secrets.randbelow(1_000_000)
        if "obfuscated" in self.mutants:
            body["obfuscation"] = odd[: secrets.randbelow(8)]

    def _choice(self, choice: Choice) -> JsonObject:
        finish = None if "finish_null" in self.mutants else choice.finish
        if self.surface == "text":
            return self._text(choice.index, choice.text, finish, 0, told=True)
        told = None
        if self.top_logprobs is not None and not choice.calls:
            said = [piece for piece in choice.pieces if piece.call == CONTENT]
            kept = said[:-1] if "logprobs_lost" in self.mutants else said
            told = {"content": [self._told(piece) for piece in kept], "refusal": None}
        text = choice.text if choice.text or not choice.calls else None
        message: JsonObject = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        message |= shown(choice.thought, self.mutants, chunk=False)
        if self.aloud and text is not None:
            message |= {"content": None, "audio": sound_of(text, self.created)}
        if choice.calls and self.legacy:
            message["function_call"] = self._call(choice, 0)["function"]
        elif choice.calls:
            message["tool_calls"] = [self._call(choice, number) for number in range(choice.calls)]
        return {"index": choice.index, "message": message, "logprobs": told, "finish_reason": finish}

    def _text(self, index: int, text: str, finish: str | None, at: int, *, told: bool) -> JsonObject:
        """A choice of a legacy completion, or of a chunk of one; ``told``: with its logprobs, where asked for."""
        if "cpl_chat_shape" in self.mutants:
            return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        logprobs = None
        if told and self.top_logprobs is not None:
            logprobs = legacy.told(text, at, self.top_logprobs, self.mutants)
            if "cpl_chat_logprobs" in self.mutants:
                logprobs = {"content": [self._logprob(token) for token in logprobs["tokens"]]}
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def _call(self, choice: Choice, number: int) -> JsonObject:
        name, arguments = choice.arguments(number)
        if name in self.custom:
            return {"id": choice.ids[number], "type": "custom", "custom": {"name": name, "input": arguments}}
        given: Any = arguments
        if "tool_arguments_object" in self.mutants:
            given = json.loads(arguments) if arguments.endswith("}") else {}
        call = {"id": choice.ids[number], "type": "function", "function": {"name": name, "arguments": given}}
        if "tool_no_id" in self.mutants:
            del call["id"]
        return call

    def _told(self, piece: Piece, *, off: bool = False) -> JsonObject:
        """The log probability of a token, and of those that could have stood there, as far as the model has any."""
        chosen = dict(piece.ranked).get(piece.text)
        if chosen is None:
            return self._logprob(piece.text, off=off)
        ranked = piece.ranked[: self.top_logprobs]
        return {**self._named(piece.text, chosen), "top_logprobs": [self._named(*one) for one in ranked]}

    def _logprob(self, token: str, *, off: bool = False) -> JsonObject:
        """A made-up log probability, the same for the same token; the token sent is always the likeliest."""
        rng = draw(0, token)
        chosen = round(-0.3 * rng.random() - off, 4)
        others = [(f" alt{number}", round(chosen - number - rng.random(), 4)) for number in range(1, 21)]
        mutants, wanted = self.mutants, self.top_logprobs or 0
        if "logprobs_positive" in mutants:
            chosen += 1
        ranked = [(token, chosen), *others]
        if "logprobs_not_top" in mutants:
            chosen -= 2
            ranked = sorted([(token, chosen), *others], key=lambda one: -one[1])
        ranked = ranked[: wanted + (wanted > 0 and "top_logprobs_more" in mutants)]
        if "top_logprobs_unsorted" in mutants:
            ranked.reverse()
        return {**self._named(token, chosen), "top_logprobs": [self._named(*one) for one in ranked]}

    def _named(self, token: str, value: float) -> JsonObject:
        named: JsonObject = {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "replace"))}
        if "logprobs_no_bytes" in self.mutants:
            del named["bytes"]
        return named
