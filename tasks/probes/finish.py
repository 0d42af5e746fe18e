"""Probes of the finish reason."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import Capture, Check, Seen, Untestable, accepted, chat, check, dig, parse, probe, streamed
from harness.conformance.plain import CAP, CAPPED, OFF_TOPIC, PAINT_TOOL, TWIN, TWIN_STREAM

REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
TOOL_CAP = 3
"""Fewer tokens than any call of the tool takes."""
BLOCK = 8
"""Servers that decode speculatively may run over by the rest of one block."""

OK = chat(
    "finish_ok",
    "a word to say, with room for more",
    'Reply with the word "OK" and nothing else.',
    cap=64,
    surface="finish",
    visible=True,
    temperature=0,
)
CUT_CALL = chat(
    "finish_cut_call",
    f"a tool that must be called, with at most {TOOL_CAP} tokens",
    OFF_TOPIC,
    cap=TOOL_CAP,
    surface="finish",
    temperature=0,
    tools=[PAINT_TOOL],
    tool_choice="required",
)


def reasons(capture: Capture) -> Iterator[Any]:
    """Every finish reason of an answer, a stream's chunks included, but those that are null."""
    for body in capture.chunks if capture.streamed else (capture.json,):
        choices = dig(body, "choices")
        for choice in choices if isinstance(choices, list) else ():
            found = dig(choice, "finish_reason")
            if found is not None:
                yield found


@probe(
    "finish.enum",
    title="Uses the documented finish reasons",
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    faults={"finish_odd": "partial"},
)
def enum(seen: Seen) -> Iterator[Check]:
    """Every finish_reason is stop, length, tool_calls, content_filter or function_call."""
    any_seen = False
    for capture in seen.everything():
        for reason in reasons(capture) if capture.is_chat else ():
            any_seen = True
            yield check("finish_reason", isinstance(reason, str), "a string", reason, of=capture)
            yield check("a documented word", reason in REASONS, " ".join(REASONS), reason, must=False, of=capture)
    if not any_seen:
        raise Untestable("evidence", "no answer has a finish reason")


@probe(
    "finish.present",
    title="Gives a finish reason",
    severity="core",
    over="run",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.required",
    faults={"finish_null": "broken"},
)
def present(seen: Seen) -> Iterator[Check]:
    """Every choice of an answer in one piece has a finish_reason that is not null."""
    answers = [capture for capture in seen.everything() if capture.is_chat and isinstance(capture.at("choices"), list)]
    if not answers:
        raise Untestable("evidence", "no answer came in one piece")
    for capture in answers:
        for choice in capture.at("choices"):
            found = dig(choice, "finish_reason")
            yield check("finish_reason", found is not None, "a string", found, of=capture)


@probe(
    "finish.stop",
    title="Says stop when the model ends",
    sees=(OK,),
    severity="core",
    ability="E",
    needs=("finish.present",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    faults={"finish_length": "broken", "finish_odd": "partial"},
)
def stop(seen: Seen) -> Iterator[Check]:
    """A single word that is asked for, with room for 64 tokens, ends with finish_reason stop."""
    capture = seen[OK]
    yield from accepted(capture)
    finish, spent = capture.finish_reason, capture.tokens("completion_tokens")
    if finish == "length" and (spent is None or spent >= 64 or not capture.text.strip()):
        raise Untestable("model", "it went on until the limit")
    yield check("it was not the limit", finish != "length", "stop", f"{finish} after {spent} tokens", of=capture)
    yield check("finish_reason", finish == "stop", "stop", finish, must=False)


@probe(
    "finish.length",
    title="Says length at the limit",
    sees=(CAPPED,),
    severity="core",
    ability="F",
    needs=("finish.present",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    threads=("ikawrakow/ik_llama.cpp#2321",),
    faults={"finish_stop": "broken", "finish_odd": "broken"},
)
def length(seen: Seen) -> Iterator[Check]:
    """A long task that was cut at 5 tokens has finish_reason length."""
    capture = seen[CAPPED]
    yield from accepted(capture)
    finish, spent = capture.finish_reason, capture.tokens("completion_tokens")
    if spent is not None and spent > BLOCK:
        raise Untestable("evidence", f"the limit of {CAP} tokens was not kept")
    if finish != "length" and (spent is None or spent < CAP):
        raise Untestable("model", "it may have ended by itself before the limit")
    yield check("finish_reason", finish == "length", "length", finish, of=capture)


@probe(
    "finish.twin",
    title="Gives streams the same finish reason",
    sees=(TWIN, TWIN_STREAM),
    needs=("finish.present", "stream.done"),
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices.finish_reason",
    threads=("googleapis/python-genai#2868",),
    faults={"finish_length_stream": "broken", "finish_never": "broken"},
)
def twin(seen: Seen) -> Iterator[Check]:
    """The same answer at temperature 0 ends with the same finish_reason, in one piece and as a stream."""
    whole, stream = seen[TWIN], seen[TWIN_STREAM]
    yield from accepted(whole)
    yield from streamed(stream)
    if whole.text != stream.text:
        raise Untestable("model", "at temperature 0 the stream holds another text")
    yield check("finish_reason", whole.finish_reason == stream.finish_reason, whole.finish_reason, stream.finish_reason)


@probe(
    "finish.length_over_tools",
    title="Says length when a call is cut",
    sees=(CUT_CALL,),
    ability="F",
    needs=("finish.present",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    faults={"reject_tools": "rejected", "finish_tools_cut": "broken", "finish_stop": "broken", "finish_odd": "broken"},
)
def length_over_tools(seen: Seen) -> Iterator[Check]:
    """A forced tool call that is cut at 3 tokens has finish_reason length, not tool_calls or stop."""
    capture = seen[CUT_CALL]
    yield from accepted(capture)
    finish, spent = capture.finish_reason, capture.tokens("completion_tokens")
    calls = capture.message.get("tool_calls")
    if isinstance(parse(str(dig(calls, 0, "function", "arguments"))), dict) or (spent or 0) > BLOCK:
        raise Untestable("evidence", f"the limit of {TOOL_CAP} tokens did not cut the call")
    if finish == "stop" and not calls and (spent is None or spent < TOOL_CAP or capture.text):
        raise Untestable("model", "it ended by itself without a call")
    yield check("finish_reason", finish == "length", "length", finish, of=capture)


PROBES = (enum, present, stop, length, twin, length_over_tools)
