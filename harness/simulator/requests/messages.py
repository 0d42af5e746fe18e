"""The checks of ``messages`` and what a model would read of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from harness.simulator.deviations.misread import SYSTEM, misread, refuse
from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.simulator.requests import media
from harness.types import JsonObject

_ROLES = (*SYSTEM, "user", "assistant", "tool", "function")
_OWN_ID = re.compile(r"call_[0-9a-f]{24}")
_PLAIN_ID = re.compile(r"[0-9a-zA-Z]{9}")
"""An id of a call as several servers have it, and as the mutant ``reject_foreign_ids`` takes it."""


def check_messages(given: JsonObject, mutants: frozenset[str]) -> tuple[JsonObject, ...]:
    """The messages that the model reads; Refusal 400 names the one that is wrong."""
    messages = given.get("messages")
    if messages in (None, []) and "ignore_empty_messages" in mutants:
        messages = [{"role": "user", "content": "Hello."}]
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise bad_type("messages", "an array of objects", messages)
    if not messages:
        raise bad_value("messages", "empty array. Expected at least one message", "empty_array")
    for place, message in enumerate(messages):
        _check(f"messages[{place}]", message, mutants)
    _check_pairing(messages, mutants)
    if not mutants:
        return tuple(messages)
    refuse(messages, mutants)
    if "ignore_tool_results" in mutants:
        messages = [message for message in messages if message["role"] != "tool"]
    if "last_result" in mutants:
        messages = [one for one, following in _pairs(messages) if not (_is_result(one) and _is_result(following))]
    return misread(messages, mutants)


def text_of(message: JsonObject) -> str:
    """The text of a message: its content, or its text parts joined."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or part.get("refusal") or "") for part in content)
    return content if isinstance(content, str) else ""


def system_text(messages: Iterable[JsonObject]) -> str:
    """All system and developer messages, a line each."""
    return "\n".join(text_of(message) for message in messages if message["role"] in SYSTEM)


def _check(where: str, message: Any, mutants: frozenset[str]) -> None:
    if not isinstance(message, dict):
        raise bad_type(where, "an object", message)
    role = message.get("role")
    if role is None:
        raise missing(f"{where}.role")
    if role not in _ROLES or (role == "developer" and "reject_developer" in mutants):
        raise bad_value(f"{where}.role", f"{role!r}. Supported: {', '.join(_ROLES)}")
    if not isinstance(message.get("name", ""), str | None):
        raise bad_type(f"{where}.name", "a string", message["name"])
    _check_calls(where, message, mutants)
    if role == "tool" and "ignore_call_id" not in mutants and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{where}.tool_call_id")
    if role == "function" and not isinstance(message.get("name"), str):
        raise missing(f"{where}.name")
    _check_content(where, message, mutants)


def _check_content(where: str, message: JsonObject, mutants: frozenset[str]) -> None:
    role, content = message["role"], message.get("content")
    if content is None:
        refused = "reject_null_content" if "content" in message else "reject_absent_content"
        said = message.get("tool_calls") or message.get("function_call") or message.get("refusal")
        if role == "assistant" and said and refused not in mutants:
            return
        if "ignore_no_content" in mutants:
            return
        raise missing(f"{where}.content")
    if isinstance(content, str):
        return
    if not isinstance(content, list) or "reject_parts" in mutants:
        raise bad_type(f"{where}.content", "a string or an array of parts", content)
    if not content:
        raise bad_value(f"{where}.content", "empty array. Expected at least one part", "empty_array")
    for place, part in enumerate(content):
        _check_part(f"{where}.content[{place}]", part, role, mutants)


def _check_part(where: str, part: Any, role: str, mutants: frozenset[str]) -> None:
    if not isinstance(part, dict):
        raise bad_type(where, "an object", part)
    kind = part.get("type")
    if kind in media.KINDS:
        media.check_part(where, part, role, mutants)
        return
    if "ignore_part_type" in mutants and kind not in ("text", "refusal"):
        return
    if kind not in (("text", "refusal") if role == "assistant" else ("text",)):
        raise bad_value(f"{where}.type", f"{kind!r}. Supported: text")
    if not isinstance(part.get(kind), str):
        raise missing(f"{where}.{kind}")


def _check_calls(where: str, message: JsonObject, mutants: frozenset[str]) -> None:
    if message.get("function_call") is not None:
        _check_function(f"{where}.function_call", message["function_call"], "arguments")
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        raise bad_type(f"{where}.tool_calls", "an array", calls)
    for place, call in enumerate(calls):
        here = f"{where}.tool_calls[{place}]"
        if not isinstance(call, dict):
            raise bad_type(here, "an object", call)
        if not isinstance(call.get("id"), str):
            raise missing(f"{here}.id")
        _check_id(f"{here}.id", call["id"], mutants)
        kind = "custom" if call.get("type") == "custom" else "function"
        _check_function(f"{here}.{kind}", call.get(kind), "input" if kind == "custom" else "arguments")


def _check_function(where: str, value: Any, field: str) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise missing(f"{where}.name")
    if not isinstance(value.get(field), str):
        raise bad_type(f"{where}.{field}", "a string", value.get(field))


def _check_id(where: str, value: str, mutants: frozenset[str]) -> None:
    own = _OWN_ID.fullmatch(value) is not None
    foreign = not own and _PLAIN_ID.fullmatch(value) is None
    if (own and "reject_own_ids" in mutants) or (foreign and "reject_foreign_ids" in mutants):
        raise bad_value(where, f"{value!r} is not the id of a call")


def _check_pairing(messages: list[JsonObject], mutants: frozenset[str]) -> None:
    """Every call has its result right behind it, every result its call before it."""
    if "ignore_call_id" in mutants:
        return
    try:
        _pair(messages)
    except Refusal as refusal:
        if "unpaired_500" not in mutants:
            raise
        raise Refusal(500, refusal.message, kind="server_error") from None


def _pair(messages: list[JsonObject]) -> None:
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                what = "a message of role 'tool' must follow a message with the 'tool_calls' it answers"
                raise bad_value(f"messages[{place}].role", what)
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
    if waiting:
        raise bad_value("messages", f"these tool_call_ids have no result: {', '.join(sorted(waiting))}")


def _pairs(messages: list[JsonObject]) -> Iterable[tuple[JsonObject, JsonObject | None]]:
    """Each message with the one behind it."""
    return zip(messages, [*messages[1:], None], strict=True)


def _is_result(message: JsonObject | None) -> bool:
    return message is not None and message["role"] == "tool"
