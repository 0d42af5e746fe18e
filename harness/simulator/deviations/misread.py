"""How mutants deal with messages that make sense: they refuse them, or read less than was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.simulator.model import tokens
from harness.simulator.model.thinking import FIELDS
from harness.simulator.refusal import Refusal
from harness.simulator.requests import media
from harness.types import JsonObject

SYSTEM = ("system", "developer")
_ROOM = 4096
"""Tokens of a message that a server with too small a context reads."""
_DOCUMENTED = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "function_call"})
_Messages = Sequence[JsonObject]


def refuse(messages: _Messages, mutants: frozenset[str]) -> None:
    """Refusal where a mutant does not take what the documents allow."""
    for name, (applies, refusal) in _REFUSED.items():
        if name in mutants and applies(messages):
            raise refusal()


def misread(messages: _Messages, mutants: frozenset[str]) -> tuple[JsonObject, ...]:
    """What of the messages reaches the model."""
    kept = list(messages)
    if "ignore_history" in mutants:
        kept = kept[-1:]
    if "ignore_system" in mutants:
        kept = [each for each in kept if each["role"] not in SYSTEM]
    if "first_system" in mutants:
        first = next((each for each in kept if each["role"] in SYSTEM), None)
        kept = [each for each in kept if each is first or each["role"] not in SYSTEM]
    if "no_prefill" in mutants and kept and kept[-1]["role"] == "assistant":
        kept = kept[:-1]
    if "ignore_name" in mutants:
        kept = [{key: value for key, value in each.items() if key != "name"} for each in kept]
    return tuple({**each, "content": _content(each["role"], each.get("content"), mutants)} for each in kept)


def _content(role: str, content: Any, mutants: frozenset[str]) -> Any:
    if isinstance(content, list):
        content = media.drop(content, mutants)
        if "drop_system_parts" in mutants and role in SYSTEM:
            return []
        return [] if "drop_parts" in mutants else content[:1] if "first_part" in mutants else content
    if not isinstance(content, str):
        return content
    if "cut_prompt" in mutants:
        content = "".join(tokens.split(content)[-_ROOM:])
    if "drop_zero_width" in mutants:
        content = content.replace("\u200b", "").replace("\ufeff", "")
    if "read_markers" in mutants:
        content = content.replace("<|im_end|>", "¶")
    return content


def _texts(messages: _Messages) -> Iterator[str]:
    return (each["content"] for each in messages if isinstance(each.get("content"), str))


def _no_turns(messages: _Messages) -> bool:
    return any(one["role"] == other["role"] == "user" for one, other in pairwise(messages))


def _own_fields(messages: _Messages) -> bool:
    return any(each["role"] == "assistant" and not set(each) <= _DOCUMENTED for each in messages)


def _has_half_a_pair(messages: _Messages) -> bool:
    return any("\ud800" <= sign <= "\udfff" for text in _texts(messages) for sign in text)


def _crash() -> Refusal:
    return Refusal(500, "The server had an error.", kind="server_error")


def _no(what: str) -> Callable[[], Refusal]:
    return lambda: Refusal(400, what, param="messages", code="invalid_value")


_REFUSED: Mapping[str, tuple[Callable[[_Messages], bool], Callable[[], Refusal]]] = {
    "strict_turns": (_no_turns, _no("Roles must alternate user and assistant.")),
    "need_user": (
        lambda messages: all(each["role"] in SYSTEM for each in messages),
        _no("A message of the user is required."),
    ),
    "reject_empty_text": (lambda messages: "" in _texts(messages), _no("Content must not be empty.")),
    "reject_own_fields": (_own_fields, _no("A message of the assistant has a field that is not permitted.")),
    "crash_reasoning": (lambda messages: any(name in each for each in messages for name in FIELDS), _crash),
    "crash_nul": (lambda messages: any("\0" in text for text in _texts(messages)), _crash),
    "crash_surrogate": (_has_half_a_pair, _crash),
}
