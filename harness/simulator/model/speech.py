"""From what is said to the tokens that are sent: stop sequences, limits, finish reasons, counts."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from harness.simulator.model import thinking, tokens
from harness.simulator.model.answers import Said
from harness.simulator.model.book import Call
from harness.simulator.model.sampler import Ranked
from harness.simulator.model.steering import steered
from harness.simulator.model.stopping import cut
from harness.simulator.requests import media
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of
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
    ranked: Ranked = ()
    """What could have stood in its place; empty: made up where it is asked for."""


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
    pieces = [Piece(token) for token in (steered(text, asked) if asked.form == "text" else tokens.split(text))]
    if asked.logprobs is not None:
        pieces[: len(said.ranked)] = map(_with_ranked, pieces, said.ranked)
    pieces += [piece for number, call in enumerate(calls) for piece in _call_pieces(number, call, asked, mutants)]
    thoughts = [Piece(token, THOUGHT) for token in tokens.split(thought)]
    pieces = pieces + thoughts if "reason_late" in mutants else thoughts + pieces
    finish = ("function_call" if asked.legacy else "tool_calls") if calls else "stop"
    if cap is not None and len(pieces) >= cap:
        pieces, finish = pieces[:cap], "length"
        if "cut_in_text" in mutants and all(piece.call == THOUGHT for piece in pieces):
            pieces = [Piece(piece.text) for piece in pieces]
    if asked.stop and not calls:
        kept = cut("".join(piece.text for piece in pieces if piece.call == CONTENT), asked, mutants)
        before = [piece for piece in pieces if piece.call == THOUGHT]
        pieces = [*before, *(Piece(token) for token in tokens.split(kept.text))]
        finish = "stop" if kept.stopped else finish
    if asked.echo:
        pieces[:1] = [Piece(text_of(asked.messages[0]) + (pieces[0].text if pieces else ""))]
    ids = tuple("call_same" if "tool_same_id" in mutants else f"call_{secrets.token_hex(12)}" for _ in calls)
    place = 0 if "choice_index_zero" in mutants else index
    return Choice(place, tuple(pieces), _finish(finish, asked, bool(calls), mutants), ids)


def _with_ranked(piece: Piece, ranked: Ranked) -> Piece:
    return piece._replace(ranked=ranked)


def _worded(said: Said, asked: Asked, mutants: frozenset[str]) -> tuple[str, str, tuple[Call, ...]]:
    """What is thought, said and called."""
    calls, text = _called(said, asked, mutants)
    thought = thinking.thoughts(asked.effort, text_of(asked.messages[-1])) if asked.surface == "chat" else ""
    if calls and thought and "reason_eats_call" in mutants:
        thought, calls = f"{thought} {_markup(calls)}", ()
    text = _marked(text, asked, mutants)
    if thought and "reason_in_text" in mutants:
        return "", f"<think>{thought}</think>{text}", calls
    if thought and asked.form != "text" and "reason_in_json" in mutants:
        return "", f"{thought} {text}", calls
    return thought, text, calls


def prompt_tokens(asked: Asked) -> int:
    """Tokens of the prompt: every message, every call in it and every tool adds to it."""
    total = 3 + tokens.count(asked.suffix)
    for message in asked.messages:
        total += 3 + tokens.count(text_of(message)) + tokens.count(str(message.get("name") or ""))
        total += media.tokens_of(message)
        total += sum(map(_call_tokens, message.get("tool_calls") or ()))
        total += _call_tokens({"function": message["function_call"]}) if message.get("function_call") else 0
    for tool in asked.tools:
        total += 6 + tokens.count(tool.name) + tokens.count(tool.description)
        total += tokens.count(json.dumps(tool.parameters, sort_keys=True, ensure_ascii=False))
        if "tool_order_counted" in asked.mutants and next(iter(tool.parameters), "type") != "type":
            total += 9
    if asked.schema is not None:
        total += tokens.count(json.dumps(asked.schema, sort_keys=True, ensure_ascii=False))
    return total


def _call_tokens(call: JsonObject) -> int:
    inner = call.get("function") or call["custom"]
    return 3 + tokens.count(inner["name"]) + tokens.count(inner.get("arguments") or inner.get("input") or "")


def estimated_tokens(asked: Asked) -> int:
    """Tokens of the prompt as one guesses them who has no tokenizer."""
    texts = [text_of(message) for message in asked.messages]
    texts += [json.dumps(tool.parameters) for tool in asked.tools]
    return 3 + sum(map(len, texts)) // 4


def usage(
    prompt: int, cached: int, choices: list[Choice], mutants: frozenset[str], asked: Asked, repeat: int
) -> JsonObject:
    """The object ``usage``; ``cached`` of the ``prompt`` tokens came from the prefix cache.

    ``repeat``: how often the request was seen before.
    """
    prompt, completion = _counted(prompt, choices, mutants, stream=asked.stream, repeat=repeat)
    accepted, rejected = (0, 0) if "usage_zero" in mutants else _predicted(asked.prediction, choices[0].text)
    thought = sum(piece.call == THOUGHT for choice in choices for piece in choice.pieces)
    heard = media.heard(asked.messages)
    if "usage_zero" in mutants:
        thought = heard = 0
    reasoned = {"reasoning_tokens": completion + 1 if "usage_reasoning_over" in mutants else thought}
    counts: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + ("usage_total" in mutants),
    }
    if "usage_no_details" in mutants:
        return counts
    return counts | {
        "prompt_tokens_details": {
            "cached_tokens": prompt + 1 if "usage_cached_over" in mutants else min(cached, prompt),
            "audio_tokens": heard,
        },
        "completion_tokens_details": {
            **({} if "no_reasoning_tokens" in mutants else reasoned),
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


def _called(said: Said, asked: Asked, mutants: frozenset[str]) -> tuple[tuple[Call, ...], str]:
    """The calls that are made as calls, and the text beside them, in which calls may stand as markup."""
    calls, text = said.calls, said.text
    if not calls:
        return calls, text
    if "tool_leak" in mutants or ("tool_leak_stream" in mutants and asked.stream):
        return (), _markup(calls)
    if "tool_leak_too" in mutants:
        return calls, _markup(calls)
    if "tool_leak_rest" in mutants:
        return calls[:1], _markup(calls[1:])
    return calls, "Let me look that up." if "tool_text" in mutants else text


def _markup(calls: tuple[Call, ...]) -> str:
    """Calls as models write them before a server has parsed them."""
    return "".join(f'<tool_call>{{"name": "{name}", "arguments": {given}}}</tool_call>' for name, given in calls)


def _counted(
    prompt: int, choices: list[Choice], mutants: frozenset[str], *, stream: bool, repeat: int
) -> tuple[int, int]:
    """Tokens of the prompt and of the completion, as they are told."""
    counted = choices[:1] if "usage_first_choice" in mutants else choices
    completion = sum(len(choice.pieces) for choice in counted)
    if "usage_completion_short" in mutants:
        completion = max(1, completion - 1)
    if "usage_inflated" in mutants:
        completion *= 10
    if "usage_events" in mutants and stream:
        # One more for the role, one for the finish reason.
        completion += 2 * len(choices)
    if "usage_prompt_drifts" in mutants:
        prompt += 3 * repeat
    if "usage_prompt_times_n" in mutants:
        prompt *= len(choices)
    if "usage_constant_prompt" in mutants:
        prompt = 7
    return (0, 0) if "usage_zero" in mutants else (prompt, completion)


def _call_pieces(number: int, call: Call, asked: Asked, mutants: frozenset[str]) -> list[Piece]:
    name, arguments = call
    if "tool_wrong_name" in mutants:
        name = next((tool.name for tool in asked.tools if tool.name != name), f"{name}_other")
    if "tool_short_name" in mutants:
        name = name[:32]
    if "tool_arguments_misfit" in mutants:
        arguments = '{"unexpected": [1]}'
    if "tool_arguments_empty" in mutants and arguments == "{}":
        arguments = ""
    if "tool_arguments_broken" in mutants:
        arguments = arguments.removesuffix("}")
    said = [arguments] if asked.stream and "tool_one_piece" in mutants else tokens.split(arguments)
    if asked.stream and "tool_tail_repeated" in mutants:
        said += said[-1:]
    return [Piece(name, number, head=True), *(Piece(token, number) for token in said)]


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


def _finish(finish: str, asked: Asked, calls: bool, mutants: frozenset[str]) -> str:  # noqa: FBT001 - as it is
    if "finish_odd" in mutants:
        return "eos"
    if finish == "stop" and ("finish_length" in mutants or (asked.stream and "finish_length_stream" in mutants)):
        return "length"
    if finish == "length" and calls and "finish_tools_cut" in mutants:
        return "tool_calls"
    stops = {"finish_stop_tools"} | ({"finish_stop_tool_stream"} if asked.stream else set())
    if (finish == "length" and "finish_stop" in mutants) or (finish == "tool_calls" and stops & mutants):
        return "stop"
    if finish == "stop" and asked.tools and "finish_calls_always" in mutants:
        return "tool_calls"
    return finish
