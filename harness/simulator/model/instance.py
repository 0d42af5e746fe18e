"""A small value that is valid under a JSON schema: what a grammar-bound model with nothing to say would write."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from harness.types import JsonObject

_DEEPEST = 24
_MOST = 5000
"""Values in one instance: two in each of two, and so on, would never end."""
_LONGEST = 4096
"""Of texts and arrays: a schema may ask for a million million."""
_FORMATS = {
    "date": "2026-01-31",
    "time": "09:30:00Z",
    "date-time": "2026-01-31T09:30:00Z",
    "duration": "PT1H",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}
_BOUNDS = frozenset({"const", "minimum", "maximum"})
"""What the mutant ``ignore_bounds`` does not look at."""
_SHALLOW = 2
"""The deepest level that the mutant ``shallow_schema`` keeps to; the root is 0."""
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”")
_KEY = re.compile(r"\bkey \"([^\"]+)\"")
_ATOM = re.compile(r"(\\.|\[\^?\]?[^\]]*\]|\((?:\?:)?[^()|]*\)|[^\\\[\](){}|*+?^$])(\{\d+(?:,\d*)?\}|[*+?])?")

_ALTERNATIVES = re.compile(r"\((?:\?:)?([^()|]*)\|[^()]*\)")


def instance(schema: Any, text: str = "", hints: Sequence[str] = (), mutants: frozenset[str] = frozenset()) -> Any:
    """A value valid under ``schema``; only what is required is filled in.

    Args:
        schema: JSON schema, an object or a boolean; $ref is followed inside it, and recursion ends early.
        text: prompt; an enum value that occurs in it is preferred.
        hints: texts for free string fields, taken in turn, the last one again and again.
        mutants: deviations from the schema.
    """
    return _Writer(schema, text, list(hints), mutants).write(schema, 0)


def quoted(text: str) -> list[str]:
    """What a text puts in double quotes, straight or curved."""
    return [first or second for first, second in _QUOTED.findall(text)]


class _Writer:
    """Holds the root, for $ref, and what the prompt suggests."""

    def __init__(self, root: Any, text: str, hints: list[str], mutants: frozenset[str]) -> None:
        self.root, self.text, self.hints, self.mutants = root, text.casefold(), hints, mutants
        self.words, self.keys = quoted(text), _KEY.findall(text)
        """What the prompt asks for against the schema."""
        self.written = 0

    def write(self, schema: Any, depth: int) -> Any:
        self.written += 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self.written > _MOST:
            return None
        if depth > _SHALLOW and "shallow_schema" in self.mutants:
            return None
        schema = self._merged(schema)
        if "ignore_bounds" in self.mutants:
            schema = {key: value for key, value in schema.items() if key not in _BOUNDS}
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            if self.words and "ignore_enum" in self.mutants:
                return self.words[0]
            said = [value for value in schema["enum"] if str(value).casefold() in self.text]
            return said[0] if said else schema["enum"][0]
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                rest = {name: value for name, value in schema.items() if name != key}
                return self.write({"allOf": [rest, self._simplest(schema[key])]}, depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: JsonObject, depth: int) -> Any:
        kind = schema.get("type") or ("object" if "properties" in schema else "array" if "items" in schema else "null")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return not re.search(r"\b(off|no|not|false)\b", self.text)
        return None

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        value = {name: self.write(part, depth + 1) for name, part in properties.items() if name in required}
        for name in schema.get("required") or ():
            value.setdefault(name, self.write(schema.get("additionalProperties") or {}, depth + 1))
        if "tool_arguments_filled" in self.mutants:
            value |= {name: self.write(part, depth + 1) for name, part in properties.items() if name not in value}
        if not depth and "ignore_additional" in self.mutants:
            value |= {key: "yes" for key in self.keys if key not in value}
        spare = (name for name in properties if name not in value)
        for name in spare:
            if len(value) >= schema.get("minProperties", 0):
                break
            value[name] = self.write(properties[name], depth + 1)
        return value

    def _array(self, schema: JsonObject, depth: int) -> list[Any]:
        places = list(schema.get("prefixItems") or ())
        length = min(_LONGEST, max(int(schema.get("minItems", 0)), len(places)))
        items = places + [schema.get("items", {})] * (length - len(places))
        value = [self.write(part, depth + 1) for part in items[:length]]
        if schema.get("uniqueItems"):
            value = [_varied(one, place) if value.index(one) < place else one for place, one in enumerate(value)]
        return value

    def _string(self, schema: JsonObject) -> str:
        if pattern := schema.get("pattern"):
            return _matching(pattern)
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = (self.hints.pop(0) if len(self.hints) > 1 else self.hints[0]) if self.hints else "text"
        text = text.ljust(min(_LONGEST, int(schema.get("minLength", 0))), "x")
        return text[: int(schema["maxLength"])] if "maxLength" in schema else text

    def _simplest(self, options: Sequence[Any]) -> Any:
        """The option that ends a recursion soonest: one without $ref, if there is one."""
        plain = [one for one in options if "$ref" not in str(one)]
        return (plain or list(options))[0]

    def _merged(self, schema: JsonObject, seen: tuple[str, ...] = ()) -> JsonObject:
        """The schema with $ref and allOf resolved into one level; ``seen``: references being resolved."""
        merged = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        parts = []
        if "$ref" in schema and schema["$ref"] not in seen and "ignore_refs" not in self.mutants:
            seen = (*seen, schema["$ref"])
            parts.append(self._target(schema["$ref"]))
        for part in (*parts, *(schema.get("allOf") or ())):
            if not isinstance(part, dict):
                continue
            for key, value in self._merged(part, seen).items():
                if key == "properties":
                    merged[key] = {**merged.get(key, {}), **value}
                elif key == "required":
                    merged[key] = [*merged.get(key, []), *value]
                else:
                    merged.setdefault(key, value)
        return merged

    def _target(self, reference: str) -> Any:
        target: Any = self.root
        for part in str(reference).removeprefix("#").strip("/").split("/"):
            if part and isinstance(target, dict):
                target = target.get(part.replace("~1", "/").replace("~0", "~"))
        return target if target is not self.root or reference == "#" else {}


def _number(schema: JsonObject, *, whole: bool) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf", 1)
    value = low if low is not None else (min(1, high) if high is not None else 1)
    if low is None and high is None:
        value = step
    try:
        value = math.ceil(value / step) * step
    except OverflowError:
        return int(value) if whole else value
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        value += step
    if high is not None and (value > high or ("exclusiveMaximum" in schema and value >= high)):
        # No multiple of 1 lies between the bounds: only a number between them does, or one below an open bound.
        value = value - step if low is None else (low + high) / 2
    return int(value) if whole or float(value).is_integer() else value


def _varied(value: Any, place: int) -> Any:
    if isinstance(value, str):
        return f"{value}{place}"
    return value + place if isinstance(value, int | float) and not isinstance(value, bool) else value


def _matching(pattern: str) -> str:
    """A text that matches a plain regular expression; the nearest guess where it nests or looks around."""
    first = _ALTERNATIVES.sub(r"(\1)", pattern)
    text = "".join(_sample(atom) * _times(repeat) for atom, repeat in _ATOM.findall(first))
    try:
        for guess in (text, "a", "A", "1", "abc", "ABC-123", "2026-01-31", "a@example.org"):
            if re.search(pattern, guess):
                return guess
    except re.error:
        return "text"
    return text


def _sample(atom: str) -> str:
    if atom.startswith("("):
        return "".join(_sample(one) * _times(repeat) for one, repeat in _ATOM.findall(atom[1:-1].removeprefix("?:")))
    if atom.startswith("[") or atom in {r"\d", r"\w", r"\s", "."}:
        return next((one for one in "aA1 -_.@" if re.fullmatch(atom, one)), "~")
    return "" if atom in {r"\b", r"\A", r"\Z"} else atom.removeprefix("\\")


def _times(repeat: str) -> int:
    if repeat in {"*", "?"}:
        return 0
    return min(_LONGEST, int(re.match(r"\{(\d+)", repeat)[1])) if repeat.startswith("{") else 1  # type: ignore[index]
