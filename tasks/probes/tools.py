"""Probes of tool calling."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, check, dig, parse, probe
from harness.conformance.plain import FORCED, MARKERS, PAINT


@probe(
    "tools.required",
    title="Calls a tool when it must",
    sees=(FORCED,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionToolChoiceOption",
    profile=("smoke", "core", "full"),
)
def required(seen: Seen) -> Iterator[Check]:
    """With tool_choice required an off-topic question gets a call of a given tool with a JSON object as arguments."""
    capture = seen[FORCED]
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
        yield check("function.name", name == PAINT, PAINT, name)
        yield check("function.arguments", isinstance(arguments, str), "a string", arguments)
        given = parse(arguments)
        if given is None and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(given, dict), "a JSON object", arguments)
        yield check("id", bool(dig(call, "id")), "a non-empty string", dig(call, "id"), must=False)
        yield check("type", dig(call, "type") == "function", "function", dig(call, "type"), must=False)


PROBES = (required,)
