"""The checks of ``messages`` and what a model would read of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.simulator import media
from harness.simulator.misread import SYSTEM, misread, refuse
from harness.simulator.refusal import bad_type, bad_value, missing
from harness.types import JsonObject

_ROLES = (*SYSTEM, "user", "assistant", "tool")


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
    _check_pairing(messages)
    if not mutants:
        return tuple(messages)
    refuse(messages, mutants)
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
    _check_calls(where, message)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{where}.tool_call_id")
    _check_content(where, message, mutants)


def _check_content(where: str, message: JsonObject, mutants: frozenset[str]) -> None:
    role, content = message["role"], message.get("content")
    if content is None:
        if role == "assistant" and (message.get("tool_calls") or message.get("refusal")):
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


def _check_calls(where: str, message: JsonObject) -> None:
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
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise missing(f"{here}.function.name")
        if not isinstance(function.get("arguments"), str):
            raise bad_type(f"{here}.function.arguments", "a string", function.get("arguments"))


def _check_pairing(messages: list[JsonObject]) -> None:
    """Every call has its result right behind it, every result its call before it."""
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
