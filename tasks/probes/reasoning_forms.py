"""Probes of output that must have a form, from a model that thinks first: a call of a tool, JSON of a schema."""

from collections.abc import Iterator

from harness.conformance import Capture, Check, Ignored, Seen, Untestable, accepted, chat, check, dig, parse, probe
from harness.conformance.plain import MARKERS, OFF_TOPIC, PAINT, PAINT_TOOL

ROOM = 256
"""Output tokens for thinking and what comes of it."""
SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "boolean"}},
    "required": ["zq"],
    "additionalProperties": False,
}

CALLED = chat(
    "reason_tools",
    "a question that needs no tool, with tool_choice required and reasoning_effort medium",
    OFF_TOPIC,
    cap=ROOM,
    surface="reason",
    visible=True,
    reasoning_effort="medium",
    tools=[PAINT_TOOL],
    tool_choice="required",
)
SHAPED = chat(
    "reason_schema",
    "a question that invites prose, with a strict schema and reasoning_effort medium",
    OFF_TOPIC,
    cap=ROOM,
    surface="reason",
    visible=True,
    reasoning_effort="medium",
    response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
)


@probe(
    "reason.with_tools",
    title="Calls a tool after thinking",
    sees=(CALLED,),
    severity="core",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionToolChoiceOption, ReasoningEffort",
    threads=("vllm-project/vllm#39598",),
    faults={
        "tool_arguments_broken": "broken",
        "tool_leak_too": "broken",
        "tool_arguments_object": "broken",
        "reject_effort": "rejected",
        "finish_null": "partial",
        "finish_odd": "partial",
        "reason_eats_call": "broken",
        "tool_no_id": "partial",
    },
)
def with_tools(seen: Seen) -> Iterator[Check]:
    """After thinking a forced call is well formed, ends with the right finish_reason and leaves no mark in the text."""
    capture = seen[CALLED]
    yield from accepted(capture)
    calls, finish = capture.message.get("tool_calls"), capture.finish_reason
    if not calls and finish == "length":
        raise Untestable("headroom", "the output was cut before a call")
    for place, text in (("text", capture.text), ("thinking", capture.thinking)):
        lost = [mark for mark in MARKERS if mark in text]
        # What a model merely thinks of calling is no lost call where another one came.
        yield check(f"no call is left in the {place}", not lost or (bool(calls) and place == "thinking"), calls, text)
    if not calls:
        raise Ignored("answered without a call", "a tool call", capture.message)
    yield check("tool_calls", isinstance(calls, list), "an array", calls)
    for call in calls:
        name, arguments = dig(call, "function", "name"), dig(call, "function", "arguments")
        yield check("function.name", name == PAINT, PAINT, name)
        yield check("function.arguments", isinstance(arguments, str), "a string", arguments)
        given = parse(arguments)
        if given is None and finish == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(given, dict), "a JSON object", arguments)
        yield check("id", bool(dig(call, "id")), "a non-empty string", dig(call, "id"), must=False)
    yield check("finish_reason", finish in ("tool_calls", "stop"), "tool_calls", finish, must=False)
    _thought(capture)


@probe(
    "reason.with_schema",
    title="Keeps to a JSON schema after thinking",
    sees=(SHAPED,),
    ability="F",
    needs=("json.schema", "reason.effort_accept"),
    spec="OpenAPI: ResponseFormatJsonSchema, ReasoningEffort",
    faults={"reason_in_text": "broken", "reason_in_json": "broken"},
)
def with_schema(seen: Seen) -> Iterator[Check]:
    """After thinking the content is JSON that fits the schema, and nothing else."""
    capture = seen[SHAPED]
    yield from accepted(capture)
    if capture.message.get("refusal"):
        raise Untestable("model", "it refused to answer")
    if capture.cut_short:
        raise Untestable("headroom", "the output was cut before the JSON")
    text, value = capture.text.strip(), parse(capture.text)
    if value is None and capture.finish_reason == "length":
        raise Untestable("headroom", "the output was cut before the JSON ended")
    mixed = value is None and '"zq"' in text
    yield check("JSON alone", not mixed, "nothing beside the JSON", text)
    elsewhere = not text and '"zq"' in capture.thinking
    yield check("the JSON is in the content", not elsewhere, "JSON in content", capture.thinking)
    if not isinstance(value, dict) or set(value) != {"zq"} or not isinstance(value["zq"], bool):
        raise Ignored("JSON of the schema did not come", SCHEMA, text)
    _thought(capture)
    yield check("fits the schema", True, SCHEMA, text)  # noqa: FBT003 - every way to fail was taken above


def _thought(capture: Capture) -> None:
    """Untestable where nothing shows that there was thinking before."""
    if not capture.thinking and not capture.tokens("completion_tokens_details", "reasoning_tokens"):
        raise Untestable("model", "nothing shows that it thought before")


PROBES = (with_tools, with_schema)
