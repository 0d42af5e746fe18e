"""Everyday requests to an assistant with one to three tools, written for this project.

Most need one call with one or two arguments; two need two calls at once, and two need none: calling a tool to answer
"Hello!" is as wrong as not calling one for the weather. The first ten hold one of each of the last two kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.errors import TaskError
from harness.scorers.tool_call import tool_call
from harness.types import JsonObject, Sample, Task

DATA = Path(__file__).parents[1] / "data" / "assistant.jsonl"
SHA256 = "e22915c9b1b9c1e0653bb67406c6c0c5cfd073133684024ae60430a10fc18038"


def _tool(name: str, description: str, parameters: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    schema = {
        "type": "object",
        "properties": parameters,
        "required": [parameter for parameter in parameters if parameter not in optional],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _text(description: str) -> JsonObject:
    return {"type": "string", "description": description}


_CITY = {"city": _text("Name of the city")}
_TIME = _text("Time of day, HH:MM")
_MINUTES: JsonObject = {"type": "integer", "description": "Number of minutes"}

TOOLS = {
    tool["function"]["name"]: tool
    for tool in (
        _tool("get_weather", "Get the current weather in a city.", _CITY),
        _tool("get_time", "Get the current local time in a city.", _CITY),
        _tool("define_word", "Look up a word in the dictionary.", {"word": _text("The word")}),
        _tool("set_timer", "Start a countdown.", {"minutes": _MINUTES}),
        _tool("set_reminder", "Set a reminder for today.", {"text": _text("What to remember"), "time": _TIME}),
        _tool("get_order_status", "Get the status of an order.", {"order_id": _text("Number of the order")}),
        _tool("calculate", "Work out an arithmetic expression.", {"expression": _text("For example 2 + 3")}),
        _tool(
            "convert_units",
            "Convert a value from one unit to another.",
            {
                "value": {"type": "number", "description": "The value to convert"},
                "from_unit": _text("Unit of the value"),
                "to_unit": _text("Unit of the result"),
            },
        ),
        _tool(
            "add_event",
            "Add an event to the calendar.",
            {"title": _text("Title"), "date": _text("Date, YYYY-MM-DD"), "time": _TIME, "minutes": _MINUTES},
            optional=("minutes",),
        ),
        _tool(
            "switch_light",
            "Switch the light in a room on or off.",
            {"room": _text("Name of the room"), "on": {"type": "boolean", "description": "True: on, false: off"}},
        ),
        _tool(
            "translate",
            "Translate a text.",
            {"text": _text("The text"), "language": _text("Language to translate into")},
        ),
    )
}


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs id, question, tools (names of ours) and expected."""
    rows = local_rows(data, ("id", "question", "tools", "expected")) if data else package_rows(DATA, SHA256)
    for row in rows:
        unknown = [name for name in row["tools"] if name not in TOOLS]
        if unknown:
            raise TaskError(f"assistant item {row['id']}: no tool {unknown[0]!r}", hint=f"Known: {', '.join(TOOLS)}")
        yield Sample(
            id=row["id"],
            messages=({"role": "user", "content": row["question"]},),
            target=row["expected"],
            tools=tuple(TOOLS[name] for name in row["tools"]),
            params={"temperature": 0, "max_tokens": 128, "tool_choice": "auto"},
        )


TASK = Task(
    name="assistant",
    version=1,
    kind="tools",
    description="Everyday requests with one to three tools; the right calls with the right arguments, or none.",
    load=load,
    scorer=tool_call(),
    source="tasks/data/assistant.jsonl",
)
