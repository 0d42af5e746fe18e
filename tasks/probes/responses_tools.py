"""Probes of the Responses API: function calls."""

from collections.abc import Iterator

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    check,
    dig,
    parse,
    post_after,
    probe,
    respond,
    streamed,
)
from harness.conformance.plain import MARKERS, OFF_TOPIC, PAINT, PAINT_TOOL
from harness.conformance.response import items, joined, listed, read_tokens, texts, told
from harness.types import JsonObject

TOOL: JsonObject = {"type": "function", **PAINT_TOOL["function"]}
RESULT = '{"painted": true, "note": "The wall will be dry tomorrow at noon, do not lean anything against it before."}'
LEAST = 8
"""Tokens that a call and its result have at the very least."""
ARGUMENTS = "response.function_call_arguments."

FORCED = respond(
    "resp_tool",
    "a question that needs no tool, with tool_choice required",
    OFF_TOPIC,
    cap=64,
    tools=[TOOL],
    tool_choice="required",
)
FORCED_STREAM = respond(
    "resp_tool_stream",
    "the same as a stream",
    OFF_TOPIC,
    cap=64,
    stream=True,
    tools=[TOOL],
    tool_choice="required",
)


def answered(capture: Capture) -> JsonObject | None:
    """The question, all that was put out, and a result for each call; None: nothing was called."""
    calls = items(capture.json, "function_call")
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": RESULT} for call in calls]
    question = {"role": "user", "content": OFF_TOPIC}
    given = {"input": [question, *capture.json["output"], *results], "tool_choice": "auto"}
    return given if results else None


RESULTS = post_after(FORCED, "resp_tool_result", "its calls with their results", answered)


@probe(
    "resp.tool",
    title="Calls a function in a response",
    sees=(FORCED,),
    ability="F",
    needs=("resp.basic",),
    spec="OpenAPI: FunctionToolCall, CreateResponse.tool_choice",
    faults={
        "empty": "ignored",
        "resp_ignore_tools": "ignored",
        "resp_ignore_tool_choice": "ignored",
        "resp_arguments_object": "broken",
        "resp_arguments_broken": "broken",
        "resp_chat_call": "broken",
        "resp_no_call_id": "broken",
    },
)
def tool(seen: Seen) -> Iterator[Check]:
    """With tool_choice required there is a function_call with a call_id, the name, and JSON in a string."""
    capture = seen[FORCED]
    yield from accepted(capture)
    calls = items(capture.json, "function_call")
    if not calls:
        said = "".join(texts(capture.json))
        leaked = [marker for marker in MARKERS if marker in said]
        yield check("the call was parsed", not leaked, "a function_call", said)
        if capture.at("status") == "incomplete" and not said:
            raise Untestable("headroom", "the output was cut before a call")
        raise Ignored("answered without a call", "a function_call", capture.at("output"))
    for call in calls:
        name, arguments, known = call.get("name"), call.get("arguments"), call.get("call_id")
        yield check("name", name == PAINT, PAINT, call)
        yield check("call_id", isinstance(known, str) and bool(known), "a non-empty string", known)
        yield check("arguments", isinstance(arguments, str), "a string", arguments)
        given = parse(arguments or "")
        if given is None and capture.at("status") == "incomplete":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(given, dict), "a JSON object", arguments)


@probe(
    "resp.tool_stream",
    title="Streams a function call of a response",
    sees=(FORCED_STREAM,),
    ability="F",
    needs=("resp.tool",),
    spec="OpenAPI: ResponseFunctionCallArgumentsDeltaEvent, ResponseFunctionCallArgumentsDoneEvent",
    faults={
        "resp_no_stream": "ignored",
        "resp_unannounced": "broken",
        "resp_no_done": "partial",
        "resp_drop_delta": "broken",
        "resp_done_differs": "broken",
        "resp_item_ids": "broken",
        "resp_output_index": "broken",
    },
)
def tool_stream(seen: Seen) -> Iterator[Check]:
    """The call is added, its arguments come as deltas that join to those of the done events, and they parse."""
    capture = seen[FORCED_STREAM]
    yield from streamed(capture)
    added = [event for event in told(capture, "response.output_item.added") if is_call(event)]
    done = [event for event in told(capture, "response.output_item.done") if is_call(event)]
    deltas = told(capture, f"{ARGUMENTS}delta")
    cut = bool(told(capture, "response.incomplete"))
    if cut and not (deltas or told(capture, "response.output_text.delta")):
        raise Untestable("headroom", "the output was cut before a call")
    if not (added or done or deltas):
        raise Ignored("answered without a call", "a function_call", told(capture, "response.completed"))
    yield check("response.output_item.added", bool(added), "the call, before its arguments", "no such event")
    known = {str(event.get("output_index")): dig(event, "item", "id") for event in added}
    astray = [event for event in deltas if known.get(str(event.get("output_index"))) != event.get("item_id")]
    yield check("item_id and output_index", not astray, known, astray[:1])
    place = added[0].get("output_index")
    grown = joined([event for event in deltas if event.get("output_index") == place])
    ends = [event for event in told(capture, f"{ARGUMENTS}done") if event.get("output_index") == place]
    wholes = [joined(ends[:1], "arguments")] if ends else []
    wholes += [str(dig(event, "item", "arguments")) for event in done if event.get("output_index") == place]
    for whole in wholes:
        yield check("deltas joined", grown in ("", whole), whole, grown)
    given = parse(grown or next(iter(wholes), ""))
    if given is None and cut:
        raise Untestable("headroom", "the output was cut inside a call")
    yield check("the arguments are an object", isinstance(given, dict), "a JSON object", grown)
    yield check(f"{ARGUMENTS}delta", bool(grown), "one or more", "none", must=False)
    yield check(f"{ARGUMENTS}done", bool(ends), "an event of its own", "none", must=False)
    yield check("response.output_item.done", bool(done), "an event of its own", "none", must=False)


@probe(
    "resp.tool_roundtrip",
    title="Reads the result of a function call",
    sees=(FORCED, RESULTS),
    needs=("resp.tool",),
    spec="OpenAPI: FunctionCallOutputItemParam",
    faults={"resp_drop_outputs": "broken", "resp_text_alone": "rejected"},
)
def tool_roundtrip(seen: Seen) -> Iterator[Check]:
    """The output of a call, sent back behind the call itself, gets 200, and both count as input tokens."""
    before, capture = read_tokens(seen[FORCED]), seen[RESULTS]
    yield from accepted(capture)
    yield check("output", bool(listed(capture.at("output"))), "one item or more", capture.at("output"))
    after = read_tokens(capture)
    if before and after:
        yield check("the result is counted", after >= before + LEAST, f"at least {before + LEAST}", after)


def is_call(event: JsonObject) -> bool:
    """Whether an event is about an item that is a function call."""
    return bool(dig(event, "item", "type") == "function_call")


PROBES = (tool, tool_stream, tool_roundtrip)
