"""Texts with fields: each is replaced by a value once, and what a value holds is never looked at again.

No expression, filter or condition is carried out, whatever a file says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import TaskError, UnknownName

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_DOUBLE = re.compile(r"\{\{-?\s*([^{}]*?)\s*-?\}\}|\{%|\{#")
_PLAIN = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


def fields(template: str) -> list[str]:
    """The names in a template with ``{name}`` fields; TaskError for a lone brace."""
    found: list[str] = []
    for one in _BRACES.finditer(template):
        if one[0] in ("{", "}"):
            where = f"character {one.start() + 1} of the template"
            raise TaskError(f"{where}: a lone {one[0]}", hint=f"Write {one[0] * 2} for a brace that is text")
        if one[1] is not None:
            found.append(one[1].strip())
    return found


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with its ``{name}`` fields replaced; ``{{`` is a brace. UnknownName for a strange field."""

    def value(one: re.Match[str]) -> str:
        if one[1] is None:
            return one[0][0]
        name = one[1].strip()
        if name not in values:
            raise UnknownName("field of the template", name, map(str, values))
        return as_text(values[name])

    return _BRACES.sub(value, template)


def fill_double(template: str, values: Mapping[str, Any]) -> str:
    """The template with its ``{{ name }}`` fields replaced; ``{{ name.part }}`` looks into an object.

    TaskError for anything else that a template engine would carry out, UnknownName for a strange field.
    """

    def value(one: re.Match[str]) -> str:
        name = one[1]
        if name is None:
            raise TaskError(f"{one[0]} would need a template engine", hint="Only {{ name }} is filled in")
        if not _PLAIN.fullmatch(name):
            raise TaskError(f"{{{{ {name[:60]} }}}} would need a template engine", hint="Only {{ name }} is filled in")
        return as_text(_looked_up(name, values))

    return _DOUBLE.sub(value, template)


def _looked_up(name: str, values: Mapping[str, Any]) -> Any:
    if name in values:
        return values[name]
    found: Any = values
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise UnknownName("field of the template", name, map(str, values))
        found = found[part]
    return found


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON value with the ``{{ name }}`` fields of all its texts replaced."""
    if isinstance(value, str):
        return fill_double(value, values)
    if isinstance(value, list):
        return [filled(one, values) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, values) for key, one in value.items()}
    return value


def as_text(value: Any) -> str:
    """A value as it stands in a prompt: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)
