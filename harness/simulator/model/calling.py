"""Which tools are called, and with what."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

from harness.simulator.model.book import Call
from harness.simulator.model.instance import instance, quoted
from harness.simulator.requests.asked import Asked
from harness.simulator.requests.messages import text_of
from harness.simulator.requests.tools import Tool
from harness.types import JsonObject

_MOST = 4
_DULL = frozenset(
    {
        "with",
        "from",
        "this",
        "that",
        "what",
        "have",
        "your",
        "about",
        "into",
        "some",
        "given",
        "name",
        "text",
        "value",
        "return",
        "returns",
    }
)
_NAMED = re.compile(r"(?:[A-ZÀ-Þ][\w'-]*|[^\x00-\x7f\s]+)(?:\s+(?:[A-ZÀ-Þ][\w'-]*|[^\x00-\x7f\s]+))*")


def calls_for(asked: Asked) -> tuple[Call, ...]:
    """The calls of a model that does what the prompt seems to want; empty: no tool fits and none is forced."""
    if not asked.tools or asked.choice.mode == "none":
        return ()
    tools = [tool for tool in asked.tools if not asked.choice.only or tool.name in asked.choice.only]
    text = next((text_of(message) for message in reversed(asked.messages) if message["role"] == "user"), "")
    answered = asked.messages[-1]["role"] in ("tool", "function") if asked.messages else False
    best = max(tools, key=lambda tool: _nearness(tool, text))
    if asked.choice.mode == "auto" and (answered or not _nearness(best, text)):
        return ()
    hints = _hints(text)
    texts = _free_texts(best)
    if asked.parallel and len(texts) == 1 and len(hints) > 1:
        return tuple(_call(best, text, [hint], asked.mutants) for hint in hints[:_MOST])
    return (_call(best, text, hints, asked.mutants),)


def spoiled(calls: Sequence[Call], tools: Sequence[Tool], rng: random.Random) -> tuple[Call, ...]:
    """Wrong calls in place of right ones: a wrong argument, no call at all, or one where none was wanted."""
    if not calls:
        return (_call(tools[0], "", [], frozenset()),) if tools else ()
    call = calls[0]
    arguments = json.loads(call.arguments)
    if not arguments or rng.random() < 0.3:
        return ()
    key = rng.choice(sorted(arguments))
    arguments[key] = wrong_value(arguments[key], rng)
    return (Call(call.name, json.dumps(arguments, ensure_ascii=False)), *calls[1:])


def wrong_value(value: object, rng: random.Random) -> object:
    """A value of the same JSON type that is not the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + rng.randint(1, 9)
    if isinstance(value, str):
        return rng.choice([word for word in ("Lisbon", "blue", "tomorrow", "unknown") if word != value])
    if isinstance(value, list):
        return value[1:] if value else [1]
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value))
        return {**value, key: wrong_value(value[key], rng)}
    return "unknown"


def _call(tool: Tool, text: str, hints: list[str], mutants: frozenset[str]) -> Call:
    if tool.custom:
        return Call(tool.name, hints[0] if hints else "text")
    value = instance({"type": "object", **tool.parameters}, text, hints, mutants)
    arguments = value if isinstance(value, dict) else {}
    if "tool_arguments_text" in mutants:
        arguments = {key: one if isinstance(one, str) else json.dumps(one) for key, one in arguments.items()}
    if "tool_arguments_escaped" in mutants:
        arguments = {key: _escaped(one) for key, one in arguments.items()}
    return Call(tool.name, json.dumps(arguments, ensure_ascii=False))


def _escaped(value: object) -> object:
    return json.dumps(value)[1:-1] if isinstance(value, str) else value


def _nearness(tool: Tool, text: str) -> int:
    """How many words name and description share with the prompt."""
    return len(_words(f"{tool.name} {tool.description}") & _words(text))


def _words(text: str) -> set[str]:
    found = {word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", text.casefold().replace("_", " "))}
    return found - _DULL


def _hints(text: str) -> list[str]:
    """What the prompt puts in quotes, or else what it names: words in capitals that do not begin a sentence."""
    if said := quoted(text):
        return said
    named = (found for found in _NAMED.finditer(text))
    return [found[0] for found in named if not re.search(r"(?:^|[.!?:\n]\s*)$", text[: found.start()])]


def _free_texts(tool: Tool) -> list[str]:
    properties: JsonObject = tool.parameters.get("properties") or {}
    required = tool.parameters.get("required") or ()
    return [name for name in required if properties.get(name) == {**_plain(properties.get(name)), "type": "string"}]


def _plain(schema: object) -> JsonObject:
    """The parts of a schema that leave a string free."""
    return (
        {key: value for key, value in schema.items() if key in {"description", "title"}}
        if isinstance(schema, dict)
        else {}
    )
