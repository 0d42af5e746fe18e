"""Probes of other tools than a function with parameters, and of the older form of calling."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    called,
    calls_of,
    chat,
    check,
    dig,
    leaks,
    parse,
    probe,
)
from harness.conformance.plain import FORCED, OFF_TOPIC, PAINT_TOOL, demand

BARE = demand(
    "no_args",
    "a demanded call of a tool without parameters",
    OFF_TOPIC,
    {"type": "function", "function": {"name": "wave", "description": "Wave."}},
)
FREE = demand(
    "custom",
    "a demanded call of a custom tool, which takes free text",
    "Write down the word “gyre”.",
    {"type": "custom", "custom": {"name": "write_down", "description": "Write a text down."}},
)
OLD = chat(
    "tools_legacy",
    "a function demanded in the older form, functions and function_call",
    OFF_TOPIC,
    cap=64,
    surface="tools",
    visible=True,
    temperature=0,
    functions=[PAINT_TOOL["function"]],
    function_call={"name": PAINT_TOOL["function"]["name"]},
)


def turned(value: Any) -> Any:
    """JSON with the keys of every object in the other order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


TURNED = demand("turned", "the same tool with its keys in another order", OFF_TOPIC, turned(PAINT_TOOL), cap=64)


@probe(
    "tools.no_args",
    title="Sends empty arguments as {}",
    sees=(BARE,),
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: FunctionObject.parameters",
    threads=("openai/openai-python#3502",),
    faults={"tool_arguments_broken": "broken", "tool_arguments_misfit": "partial", "tool_arguments_empty": "partial"},
)
def no_args(seen: Seen) -> Iterator[Check]:
    """A call of a tool without parameters has the arguments {}."""
    capture = seen[BARE]
    yield from called(capture)
    for call in calls_of(capture):
        empty = call.arguments == "" or call.value == {}
        if not empty and isinstance(call.value, dict):
            yield check("no arguments", False, "{}", call.arguments, must=False)  # noqa: FBT003 - it does not hold
            continue
        if not empty and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", empty, "{}", call.arguments)
        yield check("the arguments are {}", call.value == {}, "{}", call.arguments, must=False)


@probe(
    "tools.custom_type",
    title="Calls a custom tool",
    sees=(FREE,),
    severity="ext",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: CustomToolChatCompletions",
    faults={"reject_custom_tools": "rejected"},
)
def custom_type(seen: Seen) -> Iterator[Check]:
    """A demanded call of a custom tool has the type custom, the tool's name and its input as text."""
    capture = seen[FREE]
    yield from called(capture)
    call = dig(capture.message, "tool_calls", 0)
    yield check("type", dig(call, "type") == "custom", "custom", dig(call, "type"))
    name, given = dig(call, "custom", "name"), dig(call, "custom", "input")
    yield check("custom.name", name == "write_down", "write_down", name)
    yield check("custom.input", isinstance(given, str), "a string", given)


@probe(
    "tools.legacy_functions",
    title="Knows functions, the older form of tools",
    sees=(OLD,),
    severity="ext",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.functions, .function_call (deprecated)",
    faults={
        "ignore_tools": "ignored",
        "ignore_functions": "ignored",
        "tool_arguments_object": "broken",
        "tool_arguments_broken": "broken",
        "tool_leak": "broken",
        "tool_wrong_name": "broken",
        "empty": "ignored",
    },
)
def legacy_functions(seen: Seen) -> Iterator[Check]:
    """A function demanded by function_call is called by the message's function_call."""
    capture = seen[OLD]
    yield from accepted(capture)
    call = capture.message.get("function_call")
    if not call:
        yield check("the call was parsed", not leaks(capture), "function_call", capture.text)
        raise Ignored("answered without a call", "function_call", capture.text or capture.message)
    name, given = dig(call, "name"), dig(call, "arguments")
    yield check("function_call.name", name == PAINT_TOOL["function"]["name"], "paint_wall", name)
    if capture.finish_reason == "length" and parse(str(given)) is None:
        raise Untestable("headroom", "the output was cut inside a call")
    yield check(
        "function_call.arguments", isinstance(given, str) and isinstance(parse(given), dict), "JSON text", given
    )


@probe(
    "tools.deterministic_counts",
    title="Counts a tool alike in any order of keys",
    sees=(FORCED, TURNED),
    severity="ext",
    basis="eco",
    needs=("tools.required",),
    spec="OpenAPI: CompletionUsage.prompt_tokens; RFC 8259, 4",
    faults={"usage_prompt_drifts": "partial", "tool_order_counted": "partial"},
)
def deterministic_counts(seen: Seen) -> Iterator[Check]:
    """A tool whose keys stand in another order has the same prompt_tokens, give or take 2."""
    first, second = seen[FORCED], seen[TURNED]
    yield from accepted(first)
    yield from accepted(second)
    one, other = first.tokens("prompt_tokens"), second.tokens("prompt_tokens")
    if not one or not other:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    yield check("prompt_tokens", abs(one - other) <= 2, f"{one}, give or take 2", other, must=False)


PROBES = (no_args, custom_type, legacy_functions, deterministic_counts)
