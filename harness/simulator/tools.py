"""The checks of ``tools`` and ``tool_choice``."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jsonschema

from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.types import JsonObject

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST = 128


class Tool(NamedTuple):
    """One function that may be called."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools may, must or must not be called."""

    mode: Literal["none", "auto", "required"] = "auto"
    only: tuple[str, ...] = ()
    """Names that may be called; empty: all."""


def read_tools(value: Any) -> tuple[Tool, ...]:
    """The functions of the field ``tools``; Refusal 400 names the one that is wrong."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise bad_type("tools", "an array of objects", value)
    if not 1 <= len(value) <= _MOST:
        raise bad_value("tools", f"{len(value)} tools. Expected 1 to {_MOST}", "invalid_array_length")
    tools = tuple(_tool(f"tools[{place}]", one) for place, one in enumerate(value))
    if len({tool.name for tool in tools}) < len(tools):
        raise bad_value("tools", "two tools have the same name")
    return tools


def read_choice(value: Any, tools: tuple[Tool, ...]) -> Choice:
    """The field ``tool_choice``; Refusal 400 when it does not fit the tools."""
    if value is None or value == "auto":
        return Choice()
    if value == "none":
        return Choice("none")
    if isinstance(value, str) and value != "required":
        raise bad_value("tool_choice", f"{value!r}. Supported: none, auto, required, or a function")
    if not tools:
        raise bad_value("tool_choice", "it is only allowed when 'tools' are given")
    if value == "required":
        return Choice("required")
    if not isinstance(value, dict):
        raise bad_type("tool_choice", "a string or an object", value)
    if value.get("type") == "allowed_tools":
        inner = value.get("allowed_tools")
        if not isinstance(inner, dict) or inner.get("mode") not in ("auto", "required"):
            raise missing("tool_choice.allowed_tools.mode")
        if not isinstance(inner.get("tools"), list):
            raise bad_type("tool_choice.allowed_tools.tools", "an array", inner.get("tools"))
        names = [_chosen(one, tools) for one in inner["tools"]]
        return Choice(inner["mode"], tuple(names))
    return Choice("required", (_chosen(value, tools),))


@functools.lru_cache(maxsize=512)
def _schema_problem(text: str) -> str:
    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    except jsonschema.SchemaError as error:
        return f"not a JSON schema: {error.message[:200]}"
    return ""


def schema_problem(schema: Any) -> str:
    """What is wrong with a JSON schema; empty: nothing."""
    return _schema_problem(json.dumps(schema))


def _tool(where: str, value: Any) -> Tool:
    if not isinstance(value, dict):
        raise bad_type(where, "an object", value)
    if value.get("type") != "function":
        raise bad_value(f"{where}.type", f"{value.get('type')!r}. Supported: function")
    function = value.get("function")
    if not isinstance(function, dict):
        raise missing(f"{where}.function")
    name, parameters = function.get("name"), function.get("parameters")
    if name is None:
        raise missing(f"{where}.function.name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise bad_value(f"{where}.function.name", f"{name!r}. Expected 1 to 64 of a-z, A-Z, 0-9, _ and -")
    if not isinstance(parameters, dict | None):
        raise bad_type(f"{where}.function.parameters", "an object", parameters)
    if parameters and (problem := schema_problem(parameters)):
        code = "invalid_function_parameters"
        raise Refusal(400, f"Invalid schema for function '{name}': {problem}.", param=f"{where}.function", code=code)
    return Tool(name, str(function.get("description") or ""), parameters or {})


def _chosen(value: Any, tools: tuple[Tool, ...]) -> str:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type") != "function":
        raise bad_value("tool_choice", "expected {'type': 'function', 'function': {'name': ...}}")
    name = function.get("name")
    if not isinstance(name, str) or name not in {tool.name for tool in tools}:
        raise bad_value("tool_choice", f"there is no tool {name!r} in 'tools'")
    return name
