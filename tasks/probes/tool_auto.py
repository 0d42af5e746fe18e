"""Probes of calls that are left to the model: one, several at once, none, and the answer made of a result."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Scenario,
    Seen,
    Untestable,
    accepted,
    arguments_of,
    call_deltas,
    calls_of,
    chat,
    check,
    dig,
    leaks,
    next_turn,
    probe,
    streamed,
)
from harness.conformance.plain import FORCED, HELLO

WEATHER = "get_weather"
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": WEATHER,
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name."},
                "badge": {"type": "string", "description": "Number of a weather observer. Leave out if none is told."},
            },
            "required": ["city"],
        },
    },
}
ONE_CITY = "What is the weather in Paris, and which station reports it? Use the tool."
TWO_CITIES = "What is the weather in Paris and what is it in Tokyo? Call the tool for both cities at once."
STATION = "KQ-7431"
REPORT = (
    f"Station {STATION} reports for Paris: light rain since the early morning, eleven degrees, wind from the west at "
    "twenty kilometres an hour, the barometer is rising slowly, and the observers expect sunshine before the evening. "
    "The level of the river is two metres below the mark, and all bridges are open to walkers and to carriages."
)


def auto(name: str, title: str, line: str, cap: int = 64, **fields: Any) -> Scenario:
    """One line of a user with the weather tool, which the model may call or not."""
    tools = [WEATHER_TOOL]
    return chat(
        f"tools_{name}", title, line, cap=cap, surface="tools", visible=True, temperature=0, tools=tools, **fields
    )


def answered(capture: Capture) -> list[dict[str, Any]] | None:
    """The server's own calls and a result for each of them; None: there is no call to answer."""
    calls = capture.message.get("tool_calls")
    if not isinstance(calls, list) or not calls or not all(isinstance(dig(call, "id"), str) for call in calls):
        return None
    results = [{"role": "tool", "tool_call_id": call["id"], "content": REPORT} for call in calls]
    return [{"role": "assistant", "content": capture.message.get("content"), "tool_calls": calls}, *results]


ACCEPT = auto("accept", "a greeting with a tool at hand", HELLO, cap=16)
SUM = auto("restraint", "a sum with a tool at hand that is no use for it", "What is 2 + 2?", cap=32)
AUTO = auto("auto", "a question for the tool", ONE_CITY)
ANSWER = next_turn(AUTO, "tools_roundtrip", "the server's own call with a result that names a station", answered)
TWO = auto("two", "a question that takes two calls", TWO_CITIES, cap=96)
TWO_STREAM = auto("two_stream", "the same as a stream", TWO_CITIES, cap=96, stream=True)
TWO_OFF = auto("two_off", "the same with parallel_tool_calls false", TWO_CITIES, cap=96, parallel_tool_calls=False)


@probe(
    "tools.accept",
    title="Takes tools",
    sees=(ACCEPT,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.tools",
    faults={"reject_tools": "rejected"},
)
def accept(seen: Seen) -> Iterator[Check]:
    """A greeting with a tool at hand is answered with text, or with a call of that tool."""
    capture = seen[ACCEPT]
    yield from accepted(capture)
    spoken = bool(capture.text.strip() or capture.thinking or calls_of(capture))
    if not spoken and capture.finish_reason == "length":
        raise Untestable("headroom", "the output was cut before it said anything")
    yield check("content", isinstance(capture.at("choices", 0, "message"), dict), "a message", capture.at("choices"))


@probe(
    "tools.auto_call",
    title="Calls a tool that is of use",
    sees=(AUTO,),
    severity="core",
    ability="E",
    needs=("tools.accept",),
    spec="OpenAPI: ChatCompletionMessageToolCalls",
    faults={"tool_leak": "broken"},
)
def auto_call(seen: Seen) -> Iterator[Check]:
    """A question for the weather with a weather tool at hand gets a call of that tool."""
    capture = seen[AUTO]
    yield from accepted(capture)
    calls = calls_of(capture)
    yield check("the call was parsed", bool(calls) or not leaks(capture), "tool_calls", capture.text)
    if not calls:
        raise Untestable("model", f"it called nothing: {capture.text[:60]!r}")
    if calls[0].name != WEATHER:
        raise Untestable("model", f"it called {calls[0].name}")


@probe(
    "tools.auto_restraint",
    title="Leaves a tool alone that is of no use",
    sees=(SUM, ACCEPT),
    severity="ext",
    ability="E",
    needs=("tools.accept",),
    spec="OpenAPI: ChatCompletionToolChoiceOption",
    faults={"tool_eager": "ignored"},
)
def auto_restraint(seen: Seen) -> Iterator[Check]:
    """A sum is answered without a call of the weather tool."""
    capture = seen[SUM]
    yield from accepted(capture)
    if calls := calls_of(capture):
        # One needless call is the model's; a call at every greeting shows that auto is not what the server reads.
        if calls_of(seen[ACCEPT]):
            raise Ignored("a sum and a greeting both got a call", "auto: no call", calls[0].name)
        raise Untestable("model", f"it called {calls[0].name} for a sum")
    yield check("no call", True, "text", capture.text)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "tools.optional",
    title="Leaves out what is optional",
    sees=(AUTO,),
    severity="ext",
    ability="E",
    needs=("tools.auto_call",),
    spec="OpenAPI: FunctionObject.parameters; JSON Schema: required",
    faults={"tool_arguments_filled": "ignored"},
)
def optional(seen: Seen) -> Iterator[Check]:
    """An optional property that nothing in the prompt speaks of is left out of the arguments, null or empty."""
    capture = seen[AUTO]
    yield from accepted(capture)
    for call in calls_of(capture):
        badge = arguments_of(capture, call).get("badge")
        if badge not in (None, ""):
            raise Ignored("an optional property was made up", "no badge", badge)
        yield check("the optional property", True, "absent", badge)  # noqa: FBT003 - as above


@probe(
    "tools.parallel_on",
    title="Makes two calls at once",
    sees=(TWO,),
    ability="E",
    needs=("tools.auto_call",),
    spec="OpenAPI: ParallelToolCalls",
    threads=("ggml-org/llama.cpp#14101",),
    faults={"tool_leak_rest": "broken"},
)
def parallel_on(seen: Seen) -> Iterator[Check]:
    """A question for two cities gets two calls in one answer."""
    capture = seen[TWO]
    yield from accepted(capture)
    calls = calls_of(capture)
    yield check("every call was parsed", len(calls) > 1 or not leaks(capture), "two calls", capture.text)
    if len(calls) < 2:
        raise Untestable("model", f"it made {len(calls)} calls")
    yield check("two calls", True, "two calls", len(calls))  # noqa: FBT003 - as above


@probe(
    "tools.parallel_off",
    title="Makes one call at a time when told so",
    sees=(TWO, TWO_OFF),
    ability="E",
    needs=("tools.auto_call",),
    spec="OpenAPI: ParallelToolCalls",
    threads=("vllm-project/vllm#9451", "vllm-project/vllm#26233", "sgl-project/sglang#9696"),
    faults={"ignore_parallel_off": "ignored"},
)
def parallel_off(seen: Seen) -> Iterator[Check]:
    """With parallel_tool_calls false a question that gets two calls otherwise gets one at most."""
    free, capture = seen[TWO], seen[TWO_OFF]
    yield from accepted(capture)
    calls = calls_of(capture)
    if len(calls) > 1:
        raise Ignored("more than one call", "one call", len(calls))
    if len(calls_of(free)) < 2:
        raise Untestable("model", "it makes no two calls without the parameter either")
    yield check("one call", True, "one call", len(calls))  # noqa: FBT003 - as above


@probe(
    "tools.id_unique",
    title="Gives every call an id of its own",
    sees=(TWO, AUTO, FORCED),
    severity="core",
    ability="E",
    needs=("tools.accept",),
    spec="OpenAPI: ChatCompletionMessageToolCall.id",
    threads=("TanStack/ai#199",),
    faults={"tool_same_id": "broken"},
)
def id_unique(seen: Seen) -> Iterator[Check]:
    """Calls of one answer have different ids, and so have calls of different answers."""
    found: list[Any] = []
    for scenario in (TWO, AUTO, FORCED):
        ids = [call.id for call in calls_of(seen[scenario]) if call.id]
        yield check("ids within an answer", len(set(map(str, ids))) == len(ids), "each id once", ids, of=seen[scenario])
        found += ids
    if len(found) < 2:
        raise Untestable("evidence", f"there were {len(found)} calls with an id")
    # A conversation of several turns holds them all, and results are told apart by nothing else.
    yield check("ids of all answers", len(set(map(str, found))) == len(found), "each id once", found, must=False)


@probe(
    "tools.roundtrip",
    title="Reads the result of its own call",
    sees=(AUTO, ANSWER),
    severity="core",
    ability="E",
    needs=("tools.auto_call", "tools.assistant_null"),
    spec="OpenAPI: ChatCompletionRequestToolMessage",
    faults={"ignore_tool_results": "ignored", "reject_own_ids": "broken", "tool_arguments_object": "broken"},
)
def roundtrip(seen: Seen) -> Iterator[Check]:
    """The server's own call, sent back with a result, is answered with what only that result says."""
    first, capture = seen[AUTO], seen[ANSWER]
    told = capture.at("error", "message") or capture.status
    yield check("its own call is taken back", capture.status == 200, "200", told)
    yield from accepted(capture)
    if STATION in capture.text:
        yield check("the result", True, STATION, capture.text)  # noqa: FBT003 - as above
        return
    before, after = first.tokens("prompt_tokens"), capture.tokens("prompt_tokens")
    if before and after and after - before < len(REPORT) // 8:
        raise Ignored("the prompt did not grow by the result", f"{before} + at least {len(REPORT) // 8}", after)
    if capture.cut_short:
        raise Untestable("headroom", "the output was cut before the answer")
    raise Untestable("model", f"it did not say what the result says: {capture.text[:60]!r}")


@probe(
    "tools.stream_parallel",
    title="Keeps two streamed calls apart",
    sees=(TWO_STREAM,),
    ability="E",
    needs=("tools.parallel_on", "tools.stream_index", "stream.done"),
    spec="OpenAPI: ChatCompletionMessageToolCallChunk.index",
    faults={"tool_index_zero": "broken", "tool_leak_stream": "broken"},
)
def stream_parallel(seen: Seen) -> Iterator[Check]:
    """Two calls of one stream come under the indexes 0 and 1, and each has arguments of its own."""
    capture = seen[TWO_STREAM]
    yield from streamed(capture)
    calls = calls_of(capture)
    yield check("every call was parsed", len(calls) > 1 or not leaks(capture), "two calls", capture.text)
    for call in calls:
        merged = isinstance(call.arguments, str) and "}{" in call.arguments.replace(" ", "")
        yield check("arguments are not merged", not merged, "an object a call", call.arguments)
    if len(calls) < 2:
        raise Untestable("model", f"it made {len(calls)} calls")
    indexes = list(dict.fromkeys(delta.get("index") for delta in call_deltas(capture)))
    yield check("indexes", indexes == [*range(len(calls))], [*range(len(calls))], indexes)


@probe(
    "tools.finish_consistent",
    title="Ends with tool_calls where there are calls",
    over="run",
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    threads=("vllm-project/vllm#53255",),
    faults={"finish_stop_tools": "broken", "finish_stop_tool_stream": "broken", "finish_calls_always": "broken"},
)
def finish_consistent(seen: Seen) -> Iterator[Check]:
    """Wherever tools are given, finish_reason tool_calls comes with calls, and calls of the model's own with it."""
    asked = [capture for capture in seen.everything() if capture.is_chat and capture.sent.get("tools")]
    if not asked:
        raise Untestable("evidence", "nothing was sent with tools")
    for capture in asked:
        calls, finish = calls_of(capture), capture.finish_reason
        if finish == "tool_calls":
            yield check("tool_calls has calls", bool(calls), "calls", capture.text or "none", of=capture)
        # A call that was demanded may end with stop: the original service has it so where tool_choice names one.
        elif calls and capture.sent.get("tool_choice", "auto") == "auto":
            yield check("calls end with tool_calls", finish != "stop", "tool_calls", finish, of=capture)


PROBES = (
    accept,
    auto_call,
    auto_restraint,
    optional,
    parallel_on,
    parallel_off,
    id_unique,
    roundtrip,
    stream_parallel,
    finish_consistent,
)
