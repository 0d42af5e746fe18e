"""One call against one expected call, by the rules of the BFCL AST match.

Functions are as BFCL writes them, with types of its own (``dict``, ``tuple``, ``float``, ``any``); accepted answers are
``{parameter: [value, ...]}``, where ``""`` among the values means that the parameter may be left out.

Source: gorilla at commit 6ea57973, berkeley-function-call-leaderboard, ``ast_checker.py``, for Python. Its quirks are
kept, since published scores have them: an integer does where a float is expected, but not inside a list; a list is not
looked into for types where it may be left out; texts that are nothing but ``, . / - _ * ^`` equal the empty text. One
is not: True does not equal 1. Its rules for Java and JavaScript, where every argument is a literal in a string, are
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.scorers.strict_json import clipped, shown
from harness.types import JsonObject

TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
"""BFCL's types, as what JSON gives for them."""
_JSON_TYPES: Mapping[str, str | None] = {"dict": "object", "tuple": "array", "float": "number", "any": None}
"""The same as types of JSON Schema; None: no type. The others have the same names."""
_NO_KEYWORDS = ("optional",)
_LISTS = ("array", "tuple")
_OMITTED = ""
_PLAIN = {**dict.fromkeys(map(ord, " ,./-_*^")), ord("'"): '"'}

Accepted = Mapping[str, Sequence[Any]]


class Fault(NamedTuple):
    """What is wrong with a call: a name, and one line."""

    kind: str
    text: str


def sent_name(name: str) -> str:
    """A function's name as it is sent: dots, which endpoints refuse in names, become underscores."""
    return name.replace(".", "_")


def sent_tool(function: JsonObject) -> JsonObject:
    """A function as it is sent: a tool of the chat completions API, with a JSON Schema."""
    described = {"name": sent_name(function["name"]), "description": function.get("description", "")}
    return {"type": "function", "function": described | {"parameters": _schema(function["parameters"])}}


def _schema(theirs: JsonObject) -> JsonObject:
    ours = {key: value for key, value in theirs.items() if key not in _NO_KEYWORDS}
    if "type" in ours:
        kind = _JSON_TYPES.get(ours["type"], ours["type"])
        ours["type"] = kind
        if kind is None:
            del ours["type"]
    if isinstance(ours.get("properties"), dict):
        ours["properties"] = {name: _schema(value) for name, value in ours["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(ours.get(key), dict):
            ours[key] = _schema(ours[key])
    return ours


def call_fault(function: JsonObject, accepted: Accepted, arguments: JsonObject) -> Fault | None:
    """What is wrong with the arguments of a call of ``function``; None: nothing."""
    name, properties = function["name"], function["parameters"]["properties"]
    for parameter in function["parameters"].get("required", ()):
        if parameter not in arguments:
            return Fault("missing_required", f"{name}: {parameter} is missing")
    for parameter, value in arguments.items():
        if parameter not in properties or parameter not in accepted:
            return Fault("unexpected_param", f"{name}: {clipped(parameter)} was not expected")
        kind = _value_fault(properties[parameter], accepted[parameter], value)
        if kind is not None:
            wanted = clipped(" or ".join(map(shown, accepted[parameter])), 200)
            return Fault(kind, f"{name}: {parameter} is {shown(value)}, expected {wanted}")
    for parameter, values in accepted.items():
        if parameter not in arguments and _OMITTED not in values:
            return Fault("missing_optional", f"{name}: {parameter} is missing, expected {shown(values)}")
    return None


def contradiction(function: JsonObject, accepted: Accepted) -> str | None:
    """Why no call at all can pass: the accepted answers contradict the function's own schema; None: one can."""
    properties, required = function["parameters"]["properties"], function["parameters"].get("required", ())
    for parameter in required:
        if parameter not in accepted:
            return f"{parameter} is required, and no value of it is accepted"
    for parameter, values in accepted.items():
        schema = properties.get(parameter)
        # Left out, or given as the empty text where it must be given.
        if _OMITTED in values and parameter not in required:
            continue
        if schema is None or all(_value_fault(schema, values, given) for given in _givens(values)):
            return f"no accepted value of {parameter} fits its own schema"
    return None


def _givens(values: Sequence[Any]) -> Iterator[Any]:
    """The accepted values as a model would give them; objects list accepted values for each of their names."""
    for value in values:
        if isinstance(value, dict):
            yield _object(value)
        elif isinstance(value, list):
            yield [_object(one) if isinstance(one, dict) else one for one in value]
        else:
            yield value


def _object(accepted: Accepted) -> JsonObject:
    return {name: values[0] for name, values in accepted.items() if _OMITTED not in values and values}


def _value_fault(schema: JsonObject, accepted: Sequence[Any], value: Any) -> str | None:
    """``type_error`` or ``value_error``; None: the value is one of those accepted."""
    wanted = TYPES[schema["type"]]
    inner = TYPES.get(schema.get("items", {}).get("type")) if schema["type"] in _LISTS else None
    if wanted is float and type(value) is int and abs(value) < 2**1023:
        value = float(value)
    meant = _type_of(accepted)
    if type(value) is wanted:
        if inner is not None and not any(_inner_fits(value, one, inner) for one in accepted):
            return "type_error"
        # The name of a variable in place of a value of the declared type: compared as it stands.
        variable = meant is not None and meant is not wanted
    elif type(value) is meant:
        variable = True
    else:
        return "type_error"
    fits = _among(value, accepted) if variable else _fits(value, accepted, wanted, inner)
    return None if fits else "value_error"


def _type_of(accepted: Sequence[Any]) -> type | None:
    """The type of the accepted answers, which is that of the first; None: it may only be left out."""
    return next((type(one) for one in accepted if one != _OMITTED), None)


def _inner_fits(value: Any, accepted: Any, inner: type) -> bool:
    if not isinstance(accepted, list):
        return True
    meant = _type_of(accepted)
    return all(type(one) in (inner, meant) for one in value)


def _fits(value: Any, accepted: Sequence[Any], wanted: type, inner: type | None) -> bool:
    if wanted is dict:
        return any(_object_fits(value, one) for one in accepted)
    if wanted is list and inner is dict:
        return any(len(value) == len(one) and all(map(_object_fits, value, one)) for one in map(_as_list, accepted))
    if wanted is str:
        return _plain(value) in [_plain(one) for one in accepted if isinstance(one, str)]
    if wanted is list:
        return _among([_plain(one) for one in value], [[_plain(part) for part in _as_list(one)] for one in accepted])
    return _among(value, accepted)


def _as_list(accepted: Any) -> list[Any]:
    """An accepted list; one that may be left out may be empty."""
    return accepted if isinstance(accepted, list) else []


def _object_fits(value: Any, accepted: Any) -> bool:
    """One level deep: each name has its own accepted values."""
    if not isinstance(value, dict) or not isinstance(accepted, dict) or value.keys() - accepted.keys():
        return False
    return all(
        _among(_plain(value[name]), [_plain(one) for one in values]) if name in value else _OMITTED in values
        for name, values in accepted.items()
    )


def _among(value: Any, accepted: Sequence[Any]) -> bool:
    # Python holds True == 1; JSON does not.
    return any(isinstance(one, bool) == isinstance(value, bool) and one == value for one in accepted)


def _plain(value: Any) -> Any:
    """A text without case, blanks and ``, . / - _ * ^``, with one kind of quote; anything else as it is."""
    return value.translate(_PLAIN).lower() if isinstance(value, str) else value
