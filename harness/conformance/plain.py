"""The exchanges that probes of several surfaces judge, and what such exchanges are made of."""

from __future__ import annotations

from typing import Any

from harness.conformance.scenario import Scenario, bare, chat, post
from harness.contract import CALL_MARKERS
from harness.types import JsonObject


def demand(name: str, title: str, line: str, tool: JsonObject, cap: int = 96, **fields: Any) -> Scenario:
    """A chat with one tool that has to be called."""
    fields |= {"temperature": 0, "tools": [tool], "tool_choice": "required"}
    return chat(f"tools_{name}", title, line, cap=cap, surface="tools", visible=True, **fields)


def closed(properties: JsonObject, **more: Any) -> JsonObject:
    """The schema of an object with these properties, all of them needed, and no others."""
    wanted = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {**wanted, **more}


HELLO = "Say hello."
PLAIN = chat("chat_plain", "one line of a user, at most 16 tokens", HELLO, cap=16)
STREAM = chat("stream_plain", "the same line, streamed", HELLO, cap=16, surface="stream", stream=True)

LISTED = "Count from 1 to 20 in digits, separated by spaces."
TWIN = chat("twin_whole", "a list of numbers at temperature 0", LISTED, cap=48, visible=True, temperature=0)
TWIN_STREAM = chat(
    "twin_stream",
    "the same as a stream with usage",
    LISTED,
    cap=48,
    surface="stream",
    stream=True,
    visible=True,
    temperature=0,
    stream_options={"include_usage": True},
)

STORY = "Tell me a very long story about a ship that sails around the whole world."
CAP = 5
CAPPED = chat("sampling_cap", f"a long task with at most {CAP} tokens", STORY, cap=CAP, surface="sampling")

SENTENCES = "Write five short sentences about the sea."
PROSE_CAP = 64
PROSE = chat("sampling_no_stop", "a task of several sentences", SENTENCES, cap=PROSE_CAP, surface="sampling")

NOWHERE = "/no-such-path-zq7"
NO_WAY = frozenset({401, 402, 403})
"""Of a path that this key may not use: an answer, for it is the path that is asked about."""
NO_GET = bare("meta_get", "GET a path that does not exist", NOWHERE, surface="meta", answers=NO_WAY)
NO_POST = post("meta_post", "POST to a path that does not exist", NOWHERE, {}, surface="meta", answers=NO_WAY)
NO_ROOT = bare("meta_root", "GET such a path beside the base URL", f"/..{NOWHERE}", surface="meta", answers=NO_WAY)

PAINT = "paint_wall"
COLOURS = ("red", "green", "blue")
# A closed choice, so that a grammar always comes to an end, however small the model.
PAINT_TOOL: JsonObject = {
    "type": "function",
    "function": {
        "name": PAINT,
        "description": "Paint the wall in a colour.",
        "parameters": {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": list(COLOURS)}},
            "required": ["colour"],
            "additionalProperties": False,
        },
    },
}
OFF_TOPIC = "What is the capital of France?"
FORCED = chat(
    "tools_required",
    "a question that needs no tool, with tool_choice required",
    OFF_TOPIC,
    cap=64,
    surface="tools",
    temperature=0,
    visible=True,
    tools=[PAINT_TOOL],
    tool_choice="required",
)
FORCED_STREAM = chat(
    "tools_required_stream",
    "the same as a stream",
    OFF_TOPIC,
    cap=64,
    surface="tools",
    stream=True,
    temperature=0,
    visible=True,
    tools=[PAINT_TOOL],
    tool_choice="required",
)
STREAMS = (STREAM, TWIN_STREAM, FORCED_STREAM)
"""What judges of the wire format look at: text and a call, with usage and without."""
MARKERS = (*CALL_MARKERS, "<|channel|>")
"""What shows in visible text that a server did not parse a call; the last one begins thoughts and calls alike."""

TREE = closed(
    {"root": {"$ref": "#/$defs/node"}},
    **{
        "$defs": {
            "node": closed(
                {
                    "kind": {"type": "string", "enum": ["leaf", "branch"]},
                    "below": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
                }
            )
        }
    },
)
"""A schema that refers to itself."""
