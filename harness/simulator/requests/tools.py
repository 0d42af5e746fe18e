"""The checks of ``tools`` and ``tool_choice``, and of ``functions`` and ``function_call``, their older form."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jsonschema

from harness.simulator.refusal import Refusal, bad_type, bad_value, missing
from harness.types import JsonObject

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST = 128
_FEW = 32
"""Tools that the mutant ``reject_many_tools`` takes."""


class Tool(NamedTuple):
    """One function that may be called, or a custom tool, which takes free text."""

    name: str
    description: str
    parameters: JsonObject
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools may, must or must not be called."""

    mode: Literal["none", "auto", "required"] = "auto"
    only: tuple[str, ...] = ()
    """Names that may be called; empty: all."""


def read_tools(value: Any, mutants: frozenset[str]) -> tuple[Tool, ...]:
    """The tools of the field ``tools``; Refusal 400 names the one that is wrong."""
    if value is None:
        return ()
    if "reject_tools" in mutants:
        raise Refusal(400, "Unsupported parameter: 'tools'.", param="tools", code="unsupported_parameter")
    return _listed("tools", value, _tool, mutants)


def read_functions(value: Any, mutants: frozenset[str]) -> tuple[Tool, ...]:
    """The functions of the older field ``functions``; Refusal 400 names the one that is wrong."""
    return () if value is None else _listed("functions", value, _function, mutants)


def read_choice(value: Any, tools: tuple[Tool, ...], mutants: frozenset[str]) -> Choice:
    """The field ``tool_choice``; Refusal 400 when it does not fit the tools."""
    try:
        choice = _choice(value, tools)
    except Refusal:
        if "ignore_bad_choice" not in mutants:
            raise
        return Choice()
    if choice.mode == "auto" and tools and "tool_eager" in mutants:
        return Choice("required")
    return choice


def read_function_call(value: Any, functions: tuple[Tool, ...]) -> Choice:
    """The older field ``function_call``; Refusal 400 when it does not fit the functions."""
    if value in (None, "auto", "none"):
        return Choice(value or "auto")
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in {tool.name for tool in functions}:
        raise bad_value("function_call", f"{value!r}. Supported: none, auto, or the name of a function")
    return Choice("required", (name,))


@functools.lru_cache(maxsize=512)
def _schema_problem(text: str) -> str:
    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    except jsonschema.SchemaError as error:
        return f"not a JSON schema: {error.message[:200]}"
    return ""


def schema_problem(schema: Any, mutants: frozenset[str]) -> str:
    """What is wrong with a JSON schema; empty: nothing."""
    text = json.dumps(schema)
    for name, keyword in (("reject_refs", "$ref"), ("reject_any_of", "anyOf")):
        if name in mutants and f'"{keyword}"' in text:
            return f"{keyword} is not supported"
    return "" if "ignore_bad_schema" in mutants else _schema_problem(text)


def _listed(
    field: str, value: Any, read: Callable[[str, Any, frozenset[str]], Tool], mutants: frozenset[str]
) -> tuple[Tool, ...]:
    if not isinstance(value, list):
        raise bad_type(field, "an array of objects", value)
    most = _FEW if "reject_many_tools" in mutants else _MOST
    if not 1 <= len(value) <= most:
        raise bad_value(field, f"{len(value)} tools. Expected 1 to {most}", "invalid_array_length")
    tools = tuple(read(f"{field}[{place}]", one, mutants) for place, one in enumerate(value))
    if len({tool.name for tool in tools}) < len(tools):
        raise bad_value(field, "two tools have the same name")
    return tools


def _choice(value: Any, tools: tuple[Tool, ...]) -> Choice:
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


def _tool(where: str, value: Any, mutants: frozenset[str]) -> Tool:
    if not isinstance(value, dict):
        raise bad_type(where, "an object", value)
    kind = value.get("type")
    if kind not in ("function", "custom") or (kind == "custom" and "reject_custom_tools" in mutants):
        raise bad_value(f"{where}.type", f"{kind!r}. Supported: function, custom")
    inner = value.get(kind)
    if not isinstance(inner, dict):
        raise missing(f"{where}.{kind}")
    if kind == "custom":
        return Tool(_name(f"{where}.custom", inner), str(inner.get("description") or ""), {}, custom=True)
    return _function(f"{where}.function", inner, mutants)


def _function(where: str, value: Any, mutants: frozenset[str]) -> Tool:
    if not isinstance(value, dict):
        raise bad_type(where, "an object", value)
    name, parameters = _name(where, value), value.get("parameters")
    if not isinstance(parameters, dict | None):
        raise bad_type(f"{where}.parameters", "an object", parameters)
    if parameters and (problem := schema_problem(parameters, mutants)):
        code = "invalid_function_parameters"
        raise Refusal(400, f"Invalid schema for function '{name}': {problem}.", param=where, code=code)
    return Tool(name, str(value.get("description") or ""), parameters or {})


def _name(where: str, value: JsonObject) -> str:
    name = value.get("name")
    if name is None:
        raise missing(f"{where}.name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise bad_value(f"{where}.name", f"{name!r}. Expected 1 to 64 of a-z, A-Z, 0-9, _ and -")
    return name


def _chosen(value: Any, tools: tuple[Tool, ...]) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    inner = value.get(kind) if kind in ("function", "custom") else None
    if not isinstance(inner, dict):
        raise bad_value("tool_choice", "expected {'type': 'function', 'function': {'name': ...}}")
    name = inner.get("name")
    if not isinstance(name, str) or name not in {tool.name for tool in tools}:
        raise bad_value("tool_choice", f"there is no tool {name!r} in 'tools'")
    return name
