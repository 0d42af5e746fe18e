"""Tool calls: 24 requests, with results of tools in them, with a tool that must be called, and a few of plain text.

``fidelity_calls`` asks them as streams and ``fidelity_calls_whole`` in one piece, at temperature 0: the first show when
tools are called and whether the calls fit, the two together whether an endpoint streams what it answers in one piece.
Ask each several times, with --repeats. Of every three in a row one leaves it to the model whether it calls, one names
the tool that must be called, and one is plain text or leaves it to the model too. Nothing is right or wrong here; the
score only says whether there was an answer.

Source: the idea of comparing when tools are called is that of MoonshotAI/K2-Vendor-Verifier; the requests are our own.
Known traps: a few dozen requests show a parser that fails, not one that fails now and then. Answers are cut at 96
tokens: an endpoint that thinks first may never come to its call, at the reference as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import JsonObject, Sample, Task

MAX_TOKENS = 96


class _Body(NamedTuple):
    messages: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...] = ()
    forced: str = ""
    """The tool that must be called; empty: the model decides."""


def _said(role: str, content: str) -> JsonObject:
    return {"role": role, "content": content}


def _user(content: str) -> JsonObject:
    return _said("user", content)


def _call(name: str, *arguments: str) -> JsonObject:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": each}}
        for number, each in enumerate(arguments, 1)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _result(content: str, number: int = 1) -> JsonObject:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


def _tool(name: str, description: str, schema: JsonObject) -> JsonObject:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _object(properties: JsonObject, **more: object) -> JsonObject:
    """An object of which every property is required."""
    return {"type": "object", "properties": properties, "required": list(properties), **more}


_TEXT: JsonObject = {"type": "string"}
_PARCEL = _tool("track_parcel", "Find out where a parcel is.", _object({"parcel": _TEXT}, additionalProperties=False))
_RATE = _tool("exchange_rate", "Look up an exchange rate.", _object({"source": _TEXT, "target": _TEXT}))
_RIVER = _tool("water_level", "Measure the water of a river.", _object({"river": _TEXT}))
_TABLE = _tool(
    "book_table",
    "Book a table in a restaurant.",
    _object({"restaurant": _TEXT, "people": {"type": "integer"}, "time": _TEXT}),
)
_WRITE = _tool("write_to", "Send somebody a letter.", _object({"name": _TEXT, "text": _TEXT}))

_FORCING = _user("Go on with an invented example. Few words are enough.")
_TREE: JsonObject = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
    },
    "required": ["label"],
    "additionalProperties": False,
}
_ORDER = _object(
    {
        "lines": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": _object({"article": _TEXT, "amount": {"type": "integer", "minimum": 1}}),
        },
        "address": _object({"street": _TEXT, "postcode": {"type": "string", "pattern": "^[0-9]{4,6}$"}}),
    },
    additionalProperties=False,
)
_SCHEMAS: dict[str, JsonObject] = {
    "register": _object({"name": _TEXT, "age": {"type": "integer", "minimum": 0, "maximum": 120}}),
    "paint": _object({"colour": {"enum": ["red", "green", "blue"]}, "matt": {"type": "boolean"}}),
    "order": _ORDER,
    "plant": _object({"root": {"$ref": "#/$defs/node"}}, **{"$defs": {"node": _TREE}}),
    "measure": _object({"value": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "unit": {"const": "metre"}}),
    "bounds": _object({"share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}}, additionalProperties=False),
    "umlaut": _object({"straße": _TEXT, "城市": _TEXT}),
}
"""What must be called with, by what it exercises: ranges, enumerations, nesting, recursion, unions, Unicode."""

_LOST = (_user("Where is parcel 'K-4471'?"), _call("track_parcel", '{"parcel": "K-4471"}'))
_FOUND = (*_LOST, _result('{"state": "in transit", "town": "Graz", "sender": "Ida Moser"}'))
_LEVELS = (
    _user("What is the water of the rivers 'Elbe' and 'Oder' at?"),
    _call("water_level", '{"river": "Elbe"}', '{"river": "Oder"}'),
    _result('{"metres": 2.4}'),
    _result('{"metres": 1.9}', 2),
)
_FREE: tuple[tuple[str, _Body], ...] = (
    ("one_call", _Body(_LOST[:1], (_PARCEL, _RATE))),
    ("two_calls", _Body(_LEVELS[:1], (_RIVER,))),
    ("after_result", _Body(_FOUND, (_PARCEL,))),
    ("no_call", _Body((_user("Hello! Thanks, that was all."),), (_PARCEL, _TABLE))),
    ("next_call", _Body((_user("Find parcel 'K-4471' and send its sender a letter."), *_FOUND[1:]), (_PARCEL, _WRITE))),
    (
        "later_turn",
        _Body((*_FOUND, _said("assistant", "It is in Graz."), _user("And the parcel 'K-4472'?")), (_PARCEL,)),
    ),
    ("failed", _Body((*_LOST, _result('{"error": "no such parcel"}')), (_PARCEL,))),
    ("two_results", _Body(_LEVELS, (_RIVER,))),
    (
        "more_calls",
        _Body(
            (*_LEVELS, _said("assistant", "2.4 and 1.9 metres."), _user("And the rivers 'Inn', 'Enns' and 'Mur'?")),
            (_RIVER, _RATE),
        ),
    ),
    ("too_little", _Body((_user("I would like a table, please."),), (_TABLE,))),
    ("no_fit", _Body((_said("system", "Be brief."), _user("How old is the Moon?")), (_RATE, _RIVER, _TABLE))),
    (
        "in_prose",
        _Body((_user("Which function would you use to look for a parcel? Do not use it."),), (_PARCEL, _RATE)),
    ),
)
_FORCED: tuple[tuple[str, _Body], ...] = (
    *((name, _Body((_FORCING,), (_tool(name, name.capitalize(), schema),), name)) for name, schema in _SCHEMAS.items()),
    ("another", _Body((_user("Hello, how are you?"),), (_PARCEL, _RATE, _WRITE), "exchange_rate")),
)
_PLAIN: tuple[tuple[str, _Body], ...] = (
    ("seasons", _Body((_user("Name the four seasons, a line each."),))),
    ("code", _Body((_user("Write a Python function that doubles a number, in a code block."),))),
    ("signs", _Body((_user("Show me three emoji, and how 'river' is written in Greek, Chinese and Arabic."),))),
    ("turns", _Body((_user("Hi"), _said("assistant", "Hello!"), _user("Is water wet? A sentence, please.")))),
)


def _mixed() -> Iterator[tuple[str, _Body]]:
    third = (*_PLAIN, *_FREE[len(_FORCED) :])
    for free, forced, other in zip(_FREE, _FORCED, third, strict=False):
        yield from (free, forced, other)


BODIES = dict(_mixed())
"""The requests by name; the first dozen has all kinds."""


def _loader(name: str) -> Callable[[Path | None], Iterator[Sample]]:
    def load(data: Path | None) -> Iterator[Sample]:
        """The requests in their order; there is nothing to give."""
        if data is not None:
            raise TaskError(f"{name} has its own requests", hint="Leave out --data")
        for sample, (messages, tools, forced) in BODIES.items():
            params: JsonObject = {"temperature": 0, "max_tokens": MAX_TOKENS}
            if tools:
                params["tool_choice"] = {"type": "function", "function": {"name": forced}} if forced else "auto"
            yield Sample(sample, messages, tools=tools, params=params)

    return load


TASKS = tuple(
    Task(
        name=name,
        version=1,
        kind="tools",
        description=f"Requests with tools, results of tools and tools that must be called, {how}; is there an answer?",
        load=_loader(name),
        scorer=answered(),
        stream=stream,
        source="made by the task",
    )
    for name, how, stream in (
        ("fidelity_calls", "as streams", True),
        ("fidelity_calls_whole", "in one piece", False),
    )
)
