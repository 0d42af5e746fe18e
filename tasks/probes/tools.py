"""Probes of one tool call that the request demands."""

from collections.abc import Iterator

from harness.conformance import (
    Check,
    Seen,
    Untestable,
    arguments_of,
    called,
    calls_of,
    check,
    dig,
    leaks,
    misfit,
    probe,
)
from harness.conformance.plain import FORCED, PAINT, PAINT_TOOL


@probe(
    "tools.required",
    title="Calls a tool when it must",
    sees=(FORCED,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionToolChoiceOption",
    threads=("ollama/ollama#17921", "lmstudio-ai/lmstudio-bug-tracker#1904"),
    rev=2,
    profile=("smoke", "core", "full"),
    faults={
        "ignore_tools": "ignored",
        "ignore_tool_choice": "ignored",
        "reject_tools": "rejected",
        "tool_leak": "broken",
        "tool_wrong_name": "broken",
        "empty": "ignored",
    },
)
def required(seen: Seen) -> Iterator[Check]:
    """With tool_choice required a question that needs no tool gets a call of a given tool all the same."""
    capture = seen[FORCED]
    yield from called(capture)
    for call in calls_of(capture):
        yield check("function.name", call.name == PAINT, PAINT, call.name)


@probe(
    "tools.shape",
    title="Gives calls every field",
    sees=(FORCED,),
    severity="core",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionMessageToolCall",
    threads=("huggingface/text-generation-inference#2794",),
    faults={"tool_arguments_object": "broken", "tool_no_id": "broken"},
)
def shape(seen: Seen) -> Iterator[Check]:
    """A call has an id, the type function, a name, and its arguments as a string."""
    capture = seen[FORCED]
    yield from called(capture)
    for call in calls_of(capture):
        yield check("id", isinstance(call.id, str) and bool(call.id), "a non-empty string", call.id)
        yield check("function.name", isinstance(call.name, str) and bool(call.name), "a non-empty string", call.name)
        yield check("function.arguments", isinstance(call.arguments, str), "a string", call.arguments)
        # Typed clients tell the kinds of calls apart by it; what has a function is read as one without it.
        yield check("type", call.kind == "function", "function", call.kind, must=False)


@probe(
    "tools.args_json",
    title="Sends arguments that are JSON",
    sees=(FORCED,),
    severity="core",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionMessageToolCall.function.arguments",
    faults={"tool_arguments_broken": "broken"},
)
def args_json(seen: Seen) -> Iterator[Check]:
    """The arguments of a call are the text of a JSON object."""
    capture = seen[FORCED]
    yield from called(capture)
    for call in calls_of(capture):
        if not isinstance(call.arguments, str):
            raise Untestable("evidence", "the arguments are no text at all")
        if not isinstance(call.value, dict) and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(call.value, dict), "a JSON object", call.arguments)


@probe(
    "tools.args_schema",
    title="Sends arguments of the schema",
    sees=(FORCED,),
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: FunctionObject.parameters",
    faults={"tool_arguments_misfit": "partial"},
)
def args_schema(seen: Seen) -> Iterator[Check]:
    """The arguments of a call are valid under the parameters of its tool."""
    capture = seen[FORCED]
    yield from called(capture)
    for call in calls_of(capture):
        problem = misfit(arguments_of(capture, call), PAINT_TOOL["function"]["parameters"])
        # Without strict it is asked of the model, and a client has to be ready for the worse.
        yield check("the arguments fit", not problem, "one colour of the three", problem or "fits", must=False)


@probe(
    "tools.finish_required",
    title="Ends a demanded call with tool_calls",
    sees=(FORCED,),
    severity="core",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    threads=("vllm-project/vllm#25054", "sgl-project/sglang#2877"),
    faults={"finish_null": "broken", "finish_odd": "broken", "finish_stop_tools": "partial"},
)
def finish_required(seen: Seen) -> Iterator[Check]:
    """With tool_choice required the finish_reason of the call is tool_calls."""
    capture = seen[FORCED]
    yield from called(capture)
    finish = dig(capture.json, "choices", 0, "finish_reason")
    if finish == "length":
        raise Untestable("headroom", "the output was cut inside a call")
    yield check("finish_reason", finish in ("tool_calls", "stop"), "tool_calls", finish)
    yield check("finish_reason is tool_calls", finish == "tool_calls", "tool_calls", finish, must=False)


@probe(
    "tools.content_null",
    title="Has no text beside a demanded call",
    sees=(FORCED,),
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: ChatCompletionResponseMessage.content",
    faults={"leak_think": "partial", "leak_neighbour": "partial", "tool_leak_too": "broken", "tool_text": "partial"},
)
def content_null(seen: Seen) -> Iterator[Check]:
    """Beside a demanded call the content is null or empty, and no markup of calls stands in it."""
    capture = seen[FORCED]
    yield from called(capture)
    content = dig(capture.json, "choices", 0, "message", "content")
    yield check("no markup of calls", not leaks(capture), "no markup", content)
    empty = content is None or (isinstance(content, str) and not content.strip())
    yield check("content", empty, "null", content, must=False)


PROBES = (required, shape, args_json, args_schema, finish_required, content_null)
