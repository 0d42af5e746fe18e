"""The tools of a simulated environment: what a model is told of them, and how its calls are carried out.

A mistake of the model never raises: it is told as an application would tell it, and nothing has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.scorers.strict_json import clipped, parse, shown
from harness.types import JsonObject

_LONGEST_TEXT = 20_000
_LONGEST_RESULT = 40_000
_MOST_IN_LIST = 100
_LARGEST = 1_000_000_000


class CallError(Exception):
    """Why a call cannot be carried out, in words for the model."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its place in the request, and what it does."""

    name: str
    description: str
    parameters: Mapping[str, JsonObject]
    """JSON Schema of each: a string, a whole number, a boolean, a list of strings, or an ``enum`` of strings."""
    carry_out: Callable[..., Any]
    """Given the environment and the arguments by name; gives the result as JSON, or raises CallError before anything
    has changed."""
    optional: tuple[str, ...] = ()
    """Parameters that may be left out."""

    @property
    def schema(self) -> JsonObject:
        """As it stands in a request."""
        parameters = {
            "type": "object",
            "properties": dict(self.parameters),
            "required": [name for name in self.parameters if name not in self.optional],
            "additionalProperties": False,
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


def text(description: str) -> JsonObject:
    """A parameter that is a string."""
    return {"type": "string", "description": description}


def number(description: str) -> JsonObject:
    """A parameter that is a whole number."""
    return {"type": "integer", "description": description}


def texts(description: str) -> JsonObject:
    """A parameter that is a list of strings."""
    return {"type": "array", "items": {"type": "string"}, "description": description}


def carry_out(tools: Mapping[str, Tool], world: Any, name: str, arguments: str) -> str:
    """The result of one call as JSON text; what was wrong stands under ``error``.

    ``tools`` are by name; ``arguments`` is the text that the model wrote.
    """
    try:
        tool = tools.get(name)
        if tool is None:
            raise CallError(f"there is no tool {shown(name)}; the tools are {', '.join(tools)}")
        result = tool.carry_out(world, **_checked(tool, arguments))
    except CallError as error:
        result = {"error": str(error)}
    written = json.dumps(result, ensure_ascii=False)
    return written if len(written) <= _LONGEST_RESULT else json.dumps({"error": "the result is too long to show"})


def _checked(tool: Tool, written: str) -> JsonObject:
    """The arguments of a call; CallError where they are not what the tool takes."""
    try:
        arguments = parse(written) if written.strip() else {}
    except ValueError as error:
        raise CallError(f"the arguments are not JSON: {error}") from None
    if not isinstance(arguments, dict):
        raise CallError(f"the arguments must be a JSON object, not {shown(arguments)}")
    for name in tool.parameters:
        if name not in arguments and name not in tool.optional:
            raise CallError(f"the argument {name} is missing")
    for name, value in arguments.items():
        if name not in tool.parameters:
            raise CallError(f"{tool.name} has no argument {shown(name)}; it takes {', '.join(tool.parameters)}")
        if fault := _fault(tool.parameters[name], value):
            raise CallError(f"{name} must be {fault}, not {shown(value)}")
    return {name: _plain(value) for name, value in arguments.items()}


def _fault(schema: JsonObject, value: Any) -> str | None:
    """What a value should be; None: it is."""
    if "enum" in schema:
        return None if value in schema["enum"] else f"one of {', '.join(schema['enum'])}"
    kind = schema["type"]
    if kind == "string":
        return None if isinstance(value, str) and len(value) <= _LONGEST_TEXT else "a string that is not too long"
    if kind == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if kind == "integer":
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        return None if whole and abs(value) <= _LARGEST else "a whole number of a usual size"
    fits = isinstance(value, list) and len(value) <= _MOST_IN_LIST
    fits = fits and all(isinstance(one, str) and len(one) <= _LONGEST_TEXT for one in value)
    return None if fits else "a list of strings"


def _plain(value: Any) -> Any:
    """JSON has one kind of number: 2.0 is 2. What no text can hold is taken out of strings."""
    if isinstance(value, float):
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return clipped(value, _LONGEST_TEXT) if isinstance(value, str) else value
