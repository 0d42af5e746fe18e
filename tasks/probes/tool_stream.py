"""Probes of one demanded call in a stream."""

from collections.abc import Iterator

from harness.conformance import (
    Capture,
    Check,
    Seen,
    Untestable,
    call_deltas,
    called,
    calls_of,
    chat,
    check,
    dig,
    probe,
    streamed,
)
from harness.conformance.plain import FORCED, FORCED_STREAM
from harness.types import JsonObject

CHUNK = "OpenAPI: ChatCompletionMessageToolCallChunk"
LONGEST = 100
"""Characters of arguments that no token and no sensible buffer holds at once."""
LETTER = chat(
    "tools_letter_stream",
    "a demanded call with a long argument, streamed",
    "Send the garden club a letter of four sentences about roses.",
    cap=128,
    surface="tools",
    stream=True,
    visible=True,
    temperature=0,
    tools=[
        {
            "type": "function",
            "function": {
                "name": "send_letter",
                "description": "Send a letter to the garden club.",
                "parameters": {
                    "type": "object",
                    "properties": {"text": {"type": "string", "minLength": 300}},
                    "required": ["text"],
                },
            },
        }
    ],
    tool_choice="required",
)


def deltas_of(capture: Capture) -> Iterator[JsonObject]:
    """The deltas of calls.

    Raises:
        Untestable: there are none, which another probe tells of.
    """
    found = tuple(call_deltas(capture))
    if not found:
        raise Untestable("evidence", "the stream holds no call")
    yield from found


@probe(
    "tools.stream_twin",
    title="Streams the call that it gives whole",
    sees=(FORCED, FORCED_STREAM),
    severity="core",
    ability="F",
    needs=("tools.required", "stream.done"),
    spec=CHUNK,
    threads=("vllm-project/vllm#9693", "vllm-project/vllm#47907"),
    faults={"tool_leak_stream": "broken"},
)
def stream_twin(seen: Seen) -> Iterator[Check]:
    """At temperature 0 a demanded call has the same name and arguments as a stream and as a whole."""
    whole, stream = seen[FORCED], seen[FORCED_STREAM]
    yield from called(whole)
    yield from called(stream)
    pairs = tuple(zip(calls_of(whole), calls_of(stream), strict=False))
    for mine, other in pairs:
        yield check("function.name", mine.name == other.name, mine.name, other.name, of=stream)
    if not all(isinstance(call.value, dict) for pair in pairs for call in pair):
        raise Untestable("evidence", "the arguments of one of the two are no JSON object")
    for mine, other in pairs:
        # Batches of another size may tip a close choice, even at temperature 0.
        yield check("arguments", mine.value == other.value, mine.arguments, other.arguments, of=stream, must=False)


@probe(
    "tools.stream_index",
    title="Numbers streamed calls",
    sees=(FORCED_STREAM,),
    severity="core",
    ability="F",
    needs=("tools.required", "stream.done"),
    spec=f"{CHUNK}.index",
    threads=("ollama/ollama#7881", "openai/openai-python#2806"),
    faults={"tool_no_index": "broken"},
)
def stream_index(seen: Seen) -> Iterator[Check]:
    """Every delta of a call has an index, a whole number, and the first call's is 0."""
    capture = seen[FORCED_STREAM]
    yield from streamed(capture)
    for place, delta in enumerate(deltas_of(capture)):
        index = delta.get("index")
        whole = isinstance(index, int) and not isinstance(index, bool)
        yield check("index", whole, "a whole number", "absent" if "index" not in delta else index)
        if not place:
            yield check("the first index", index == 0, 0, index)


@probe(
    "tools.stream_head",
    title="Begins a streamed call with its head, once",
    sees=(FORCED_STREAM,),
    severity="core",
    ability="F",
    needs=("tools.required", "stream.done"),
    spec=CHUNK,
    threads=("vercel/ai#15879", "sgl-project/sglang#23071"),
    faults={"tool_no_id": "broken", "tool_head_repeated": "broken"},
)
def stream_head(seen: Seen) -> Iterator[Check]:
    """Id, type and name come in the first delta of a call and in no other one."""
    capture = seen[FORCED_STREAM]
    yield from streamed(capture)
    begun: set[object] = set()
    for delta in deltas_of(capture):
        index, name = str(delta.get("index")), dig(delta, "function", "name")
        if index not in begun:
            begun.add(index)
            for field, value in (("id", delta.get("id")), ("function.name", name)):
                yield check(f"{field} comes first", isinstance(value, str) and bool(value), "a string", delta)
            yield check("type comes first", delta.get("type") == "function", "function", delta, must=False)
            continue
        # The official client joins the texts of all deltas: what comes twice is doubled.
        for field, value in (("id", delta.get("id")), ("function.name", name)):
            yield check(f"{field} comes once", not value, "absent", value)
        # A type that is repeated is one of the few fields that it does not join.
        yield check("type comes once", not delta.get("type"), "absent", delta.get("type"), must=False)


@probe(
    "tools.stream_args",
    title="Streams arguments that add up",
    sees=(FORCED_STREAM,),
    severity="core",
    ability="F",
    needs=("tools.required", "stream.done"),
    spec=f"{CHUNK}.function.arguments",
    threads=("vllm-project/vllm#51697", "vllm-project/vllm#32152", "vllm-project/vllm#15274"),
    faults={"tool_arguments_broken": "broken", "tool_tail_repeated": "broken"},
)
def stream_args(seen: Seen) -> Iterator[Check]:
    """The pieces of a call's arguments, joined, are the text of one JSON object."""
    capture = seen[FORCED_STREAM]
    yield from streamed(capture)
    for delta in deltas_of(capture):
        piece = dig(delta, "function", "arguments")
        yield check("a piece is text", piece is None or isinstance(piece, str), "a string", piece)
    for call in calls_of(capture):
        if not isinstance(call.value, dict) and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", isinstance(call.value, dict), "a JSON object", call.arguments)


@probe(
    "tools.stream_finish",
    title="Ends a streamed call as a whole one",
    sees=(FORCED, FORCED_STREAM),
    severity="core",
    ability="F",
    needs=("tools.stream_twin",),
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices.finish_reason",
    faults={"finish_stop_tool_stream": "broken", "finish_never": "broken"},
)
def stream_finish(seen: Seen) -> Iterator[Check]:
    """A demanded call has the same finish_reason as a stream and as a whole."""
    whole, stream = seen[FORCED], seen[FORCED_STREAM]
    yield from called(whole)
    yield from called(stream)
    expected, actual = whole.finish_reason, stream.finish_reason
    if expected is None:
        raise Untestable("evidence", "the whole answer has no finish_reason")
    if "length" in (expected, actual):
        raise Untestable("headroom", "the output was cut inside a call")
    yield check("finish_reason", actual == expected, expected, actual, of=stream)


@probe(
    "tools.stream_incremental",
    title="Streams long arguments in pieces",
    sees=(LETTER,),
    severity="ext",
    ability="F",
    basis="eco",
    needs=("tools.required", "tools.stream_twin", "stream.done"),
    spec=f"{CHUNK}.function.arguments",
    faults={"coarse_chunks": "partial", "tool_one_piece": "partial"},
)
def stream_incremental(seen: Seen) -> Iterator[Check]:
    """A call whose arguments are long comes in more than one piece."""
    capture = seen[LETTER]
    yield from called(capture)
    given = (dig(delta, "function", "arguments") for delta in call_deltas(capture))
    pieces = [each for each in given if isinstance(each, str) and each]
    if sum(map(len, pieces)) < LONGEST:
        raise Untestable("model", f"its arguments have {sum(map(len, pieces))} characters")
    yield check("pieces", len(pieces) > 1, "two or more", len(pieces), must=False)


PROBES = (stream_twin, stream_index, stream_head, stream_args, stream_finish, stream_incremental)
