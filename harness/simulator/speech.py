"""From what is said to the tokens that are sent: stop sequences, limits, finish reasons, counts."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from harness.simulator import media, thinking, tokens
from harness.simulator.answers import Said
from harness.simulator.asked import Asked
from harness.simulator.book import Call
from harness.simulator.messages import text_of
from harness.types import JsonObject

_SIGNS = {
    "nul": "\0",
    "ansi": "\x1b[31m\x1b[2J",
    "bidi": "\u202e\u2066",
    "line_separators": "\u0085 \u2028 \u2029",
}
"""What mutants put before a text."""


CONTENT, THOUGHT = -1, -2


class Piece(NamedTuple):
    """One output token."""

    text: str
    """Of the content, or of the arguments of a call."""
    call: int = CONTENT
    """Which call it belongs to; CONTENT: the text, THOUGHT: what is thought before it."""
    head: bool = False
    """Whether it begins a call: then ``text`` is the name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a response."""

    index: int
    pieces: tuple[Piece, ...]
    finish: str
    ids: tuple[str, ...] = ()
    """Of the calls, in their order."""

    @property
    def text(self) -> str:
        """The content; empty when there is none."""
        return "".join(piece.text for piece in self.pieces if piece.call == CONTENT)

    @property
    def thought(self) -> str:
        """What is thought before it; empty when nothing is."""
        return "".join(piece.text for piece in self.pieces if piece.call == THOUGHT)

    def arguments(self, call: int) -> tuple[str, str]:
        """Name and arguments of one call."""
        mine = [piece for piece in self.pieces if piece.call == call]
        return mine[0].text, "".join(piece.text for piece in mine[1:])

    @property
    def calls(self) -> int:
        """How many calls were begun."""
        return len({piece.call for piece in self.pieces if piece.call >= 0})


def spoken(said: Said, asked: Asked, mutants: frozenset[str], index: int) -> Choice:
    """The choice that comes of an answer under the limits of the request."""
    thought, text, calls = _worded(said, asked, mutants)
    cap = asked.cap
    pieces = [Piece(token) for token in tokens.split(text)]
    pieces += [piece for number, call in enumerate(calls) for piece in _call_pieces(number, call, asked, mutants)]
    thoughts = [Piece(token, THOUGHT) for token in tokens.split(thought)]
    pieces = pieces + thoughts if "reason_late" in mutants else thoughts + pieces
    finish = "tool_calls" if calls else "stop"
    if cap is not None and len(pieces) >= cap:
        pieces, finish = pieces[:cap], "length"
        if "cut_in_text" in mutants and all(piece.call == THOUGHT for piece in pieces):
            pieces = [Piece(piece.text) for piece in pieces]
    if asked.stop and not calls and "ignore_stop" not in mutants:
        spoken_ = "".join(piece.text for piece in pieces if piece.call == CONTENT)
        kept = _stopped(spoken_, asked.stop, include="include_stop" in mutants)
        if kept is not None:
            kept_thoughts = [piece for piece in pieces if piece.call == THOUGHT]
            pieces, finish = [*kept_thoughts, *(Piece(token) for token in tokens.split(kept))], "stop"
    if asked.echo:
        pieces[:1] = [Piece(text_of(asked.messages[0]) + (pieces[0].text if pieces else ""))]
    ids = tuple("call_same" if "tool_same_id" in mutants else f"call_{secrets.token_hex(12)}" for _ in calls)
    return Choice(index, tuple(pieces), _finish(finish, mutants), ids)


def _worded(said: Said, asked: Asked, mutants: frozenset[str]) -> tuple[str, str, tuple[Call, ...]]:
    """What is thought, said and called."""
    calls, text = said.calls, said.text
    thought = thinking.thoughts(asked.effort, text_of(asked.messages[-1])) if asked.surface == "chat" else ""
    markup = "".join(f'<tool_call>{{"name": "{name}", "arguments": {given}}}</tool_call>' for name, given in calls)
    if calls and "tool_leak" in mutants:
        text, calls = markup, ()
    if calls and thought and "reason_eats_call" in mutants:
        thought, calls = f"{thought} {markup}", ()
    if calls and "tool_text" in mutants:
        text = "Let me look that up."
    text = _marked(text, asked, mutants)
    if thought and "reason_in_text" in mutants:
        return "", f"<think>{thought}</think>{text}", calls
    if thought and asked.form != "text" and "reason_in_json" in mutants:
        return "", f"{thought} {text}", calls
    return thought, text, calls


def prompt_tokens(asked: Asked) -> int:
    """Tokens of the prompt: every message, every call in it and every tool adds to it."""
    total = 3
    for message in asked.messages:
        total += 3 + tokens.count(text_of(message)) + tokens.count(str(message.get("name") or ""))
        total += media.tokens_of(message)
        for call in message.get("tool_calls") or ():
            function = call["function"]
            total += 3 + tokens.count(function["name"]) + tokens.count(function["arguments"])
    for tool in asked.tools:
        total += 6 + tokens.count(tool.name) + tokens.count(tool.description)
        total += tokens.count(json.dumps(tool.parameters, sort_keys=True, ensure_ascii=False))
    if asked.schema is not None:
        total += tokens.count(json.dumps(asked.schema, sort_keys=True, ensure_ascii=False))
    return total


def usage(
    prompt: int, cached: int, choices: list[Choice], mutants: frozenset[str], prediction: str = "", heard: int = 0
) -> JsonObject:
    """The object ``usage``; of the ``prompt`` tokens ``cached`` came from the prefix cache, ``heard`` are sounds."""
    completion = sum(len(choice.pieces) for choice in choices)
    thought = sum(piece.call == THOUGHT for choice in choices for piece in choice.pieces)
    accepted, rejected = _predicted(prediction, choices[0].text)
    if "usage_constant_prompt" in mutants:
        prompt = 7
    if "usage_zero" in mutants:
        prompt = completion = cached = accepted = rejected = thought = heard = 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + ("usage_total" in mutants),
        "prompt_tokens_details": {"cached_tokens": min(cached, prompt), "audio_tokens": heard},
        "completion_tokens_details": {
            **({} if "no_reasoning_tokens" in mutants else {"reasoning_tokens": thought}),
            "audio_tokens": 0,
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": rejected,
        },
    }


def _predicted(prediction: str, text: str) -> tuple[int, int]:
    """Tokens of a prediction that came true from its start on, and the others."""
    foretold = tokens.split(prediction)
    came = 0
    for one, other in zip(foretold, tokens.split(text), strict=False):
        if one != other:
            break
        came += 1
    return came, len(foretold) - came


def _call_pieces(number: int, call: Call, asked: Asked, mutants: frozenset[str]) -> list[Piece]:
    name, arguments = call
    if "tool_wrong_name" in mutants:
        name = next((tool.name for tool in asked.tools if tool.name != name), f"{name}_other")
    if "tool_arguments_misfit" in mutants:
        arguments = '{"unexpected": [1]}'
    if "tool_arguments_broken" in mutants:
        arguments = arguments.removesuffix("}")
    return [Piece(name, number, head=True), *(Piece(token, number) for token in tokens.split(arguments))]


def _marked(text: str, asked: Asked, mutants: frozenset[str]) -> str:
    """The text with the deviations of a model or its parser."""
    if asked.form != "text" and text:
        if "break_schema" in mutants:
            text = '{"unexpected": null}'
        if "fence_json" in mutants:
            text = f"```json\n{text}\n```"
    if "leak_think" in mutants:
        text = f"<think>The user wants an answer.</think>{text}"
    if "replacement_char" in mutants:
        text = "".join(sign if sign.isascii() else "\ufffd" for sign in text)
    for name, signs in _SIGNS.items():
        if name in mutants and text:
            text = f"{signs} {text}"
    return text


def _stopped(text: str, stops: tuple[str, ...], *, include: bool) -> str | None:
    """The text before the first stop sequence; None: there is none in it."""
    found = [(place, stop) for stop in stops if (place := text.find(stop)) >= 0]
    if not found:
        return None
    place, stop = min(found)
    return text[: place + len(stop)] if include else text[:place]


def _finish(finish: str, mutants: frozenset[str]) -> str:
    if "finish_odd" in mutants:
        return "eos"
    if (finish == "length" and "finish_stop" in mutants) or (finish == "tool_calls" and "finish_stop_tools" in mutants):
        return "stop"
    return finish
