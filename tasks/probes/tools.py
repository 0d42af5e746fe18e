"""Probes of tool calling."""

from collections.abc import Iterator

from harness.conformance import Captures, Check, Ignored, Untestable, accepted, chat, check, dig, parse, probe
from harness.types import Endpoint

NAME = "paint_wall"
# A closed choice, so that a grammar always comes to an end, however small the model.
TOOL = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Paint the wall in a colour.",
        "parameters": {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "green", "blue"]}},
            "required": ["colour"],
            "additionalProperties": False,
        },
    },
}
MARKERS = ("<tool_call", "<|tool", "[TOOL_CALLS]", "<function", "<|python_tag|>", "<|channel|>")
"""How models spell a call before a server has parsed it."""

REQUIRED = chat(
    "tools_required",
    "a question that needs no tool, with tool_choice required",
    "What is the capital of France?",
    cap=64,
    surface="tools",
    tools=[TOOL],
    tool_choice="required",
)


@probe(
    "tools.required",
    title="Calls a tool when it must",
    sees=(REQUIRED,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionToolChoiceOption",
    profile=("smoke", "core", "full"),
)
def required(seen: Captures, endpoint: Endpoint) -> Iterator[Check]:  # noqa: ARG001 - every judge gets both
    """With tool_choice required an off-topic question gets a call of a given tool with a JSON object as arguments."""
    capture = seen[REQUIRED.name][0]
    yield from accepted(capture)
    calls = capture.message.get("tool_calls")
    if not calls:
        leaked = [marker for marker in MARKERS if marker in capture.text]
        yield check("the call was parsed", not leaked, "tool_calls", capture.text)
        if capture.cut_short:
            raise Untestable("headroom", "the output was cut before a call")
        raise Ignored("answered without a call", "a tool call", capture.message)
    yield check("tool_calls", isinstance(calls, list), "an array", calls)
    for call in calls:
        name, arguments = dig(call, "function", "name"), dig(call, "function", "arguments")
        yield check("function.name", name == NAME, NAME, name)
        yield check("function.arguments", isinstance(arguments, str), "a string", arguments)
        given = parse(arguments)
        if given is None and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(given, dict), "a JSON object", arguments)
        yield check("id", bool(dig(call, "id")), "a non-empty string", dig(call, "id"), must=False)
        yield check("type", dig(call, "type") == "function", "function", dig(call, "type"), must=False)


PROBES = (required,)
