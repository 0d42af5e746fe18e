"""Probes of the token counts in a stream and of stream_options."""

from collections.abc import Iterator

from harness.conformance import DONE, Check, Ignored, Seen, chat, check, count, dig, parse, probe, streamed
from harness.conformance.plain import HELLO, STREAM

STREAM_USAGE = chat(
    "stream_usage",
    "the same with stream_options.include_usage",
    HELLO,
    cap=16,
    surface="stream",
    stream=True,
    stream_options={"include_usage": True},
)
NO_OBFUSCATION = chat(
    "stream_no_obfuscation",
    "the same with stream_options.include_obfuscation: false",
    HELLO,
    cap=16,
    surface="stream",
    stream=True,
    stream_options={"include_obfuscation": False},
)
OPTIONS_ALONE = chat(
    "stream_options_alone",
    "the same line with stream_options, and no stream",
    HELLO,
    cap=16,
    surface="stream",
    stream_options={"include_usage": True},
)


@probe(
    "stream.usage_chunk",
    title="Reports usage at the end of a stream",
    sees=(STREAM_USAGE,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionStreamOptions.include_usage",
    profile=("smoke", "core", "full"),
    faults={
        "no_stream": "ignored",
        "no_usage": "ignored",
        "no_usage_chunk": "ignored",
        "usage_zero": "broken",
        "usage_in_last_choice": "partial",
        "after_done": "partial",
        "text_after_done": "partial",
        "error_and_done": "broken",
    },
)
def usage_chunk(seen: Seen) -> Iterator[Check]:
    """With include_usage one last chunk before [DONE] has empty choices and usage with its three counts."""
    capture = seen[STREAM_USAGE]
    yield from streamed(capture)
    with_usage = [chunk for chunk in capture.chunks if chunk.get("usage") is not None]
    if not with_usage:
        raise Ignored("no chunk of the stream holds usage", "a last chunk with usage", "none")
    last = with_usage[-1]
    for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
        value = dig(last, "usage", field)
        yield check(f"usage.{field}", count(value) is not None, "a number of tokens", value)
    yield check("usage.prompt_tokens is not 0", dig(last, "usage", "prompt_tokens") > 0, "1 or more", 0)
    events = [event.data.strip() for event in capture.events]
    after = events[events.index(DONE) + 1 :] if DONE in events else []
    yield check("before [DONE]", last not in map(parse, after), "usage before [DONE]", last)
    choices = last.get("choices")
    yield check("choices are empty", choices == [], "[]", choices, must=False)
    yield check(
        "it is the last chunk", last is capture.chunks[-1], "nothing after usage", capture.chunks[-1], must=False
    )
    alone = sum(chunk.get("choices") == [] for chunk in with_usage) <= 1
    yield check("it comes once", alone, "one chunk of usage", f"{len(with_usage)} chunks", must=False)


@probe(
    "stream.usage_null",
    title="Keeps usage null before the end",
    sees=(STREAM_USAGE,),
    severity="ext",
    needs=("stream.usage_chunk",),
    spec="OpenAPI: CreateChatCompletionStreamResponse.usage",
    faults={"usage_every_chunk": "partial"},
)
def usage_null(seen: Seen) -> Iterator[Check]:
    """With include_usage no chunk but one has usage that is not null."""
    capture = seen[STREAM_USAGE]
    yield from streamed(capture)
    number = sum(chunk.get("usage") is not None for chunk in capture.chunks)
    yield check("usage is null before the end", number <= 1, "one chunk of usage", f"{number} chunks", must=False)


@probe(
    "stream.usage_default_off",
    title="Sends no usage that nobody asked for",
    sees=(STREAM,),
    severity="ext",
    needs=("stream.status_type",),
    spec="OpenAPI: ChatCompletionStreamOptions.include_usage",
    faults={"usage_unasked": "partial", "usage_every_chunk": "partial"},
)
def usage_default_off(seen: Seen) -> Iterator[Check]:
    """Without include_usage no chunk of a stream holds usage."""
    capture = seen[STREAM]
    yield from streamed(capture)
    told = [chunk["usage"] for chunk in capture.chunks if chunk.get("usage") is not None]
    yield check("no usage", not told, "no usage", told[:1], must=False)


@probe(
    "stream.obfuscation",
    title="Leaves obfuscation out when told to",
    sees=(NO_OBFUSCATION,),
    severity="ext",
    needs=("stream.status_type",),
    spec="OpenAPI: ChatCompletionStreamOptions.include_obfuscation",
    faults={"obfuscated": "partial"},
)
def obfuscation(seen: Seen) -> Iterator[Check]:
    """With include_obfuscation: false no chunk holds the field obfuscation."""
    capture = seen[NO_OBFUSCATION]
    yield from streamed(capture)
    told = [chunk["obfuscation"] for chunk in capture.chunks if chunk.get("obfuscation") is not None]
    yield check("no obfuscation", not told, "no such field", told[:1], must=False)


@probe(
    "stream.options_alone",
    title="Starts no stream because of stream_options",
    sees=(OPTIONS_ALONE,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.stream_options",
    faults={"options_start_stream": "broken", "status_500": "broken", "status_200": "broken"},
)
def options_alone(seen: Seen) -> Iterator[Check]:
    """stream_options without stream get a 4xx, or an answer in one piece."""
    capture = seen[OPTIONS_ALONE]
    status = capture.status or 0
    yield check("status", status == 200 or 400 <= status < 500, "200 or 4xx", status)
    whole = status != 200 or isinstance(capture.at("choices"), list)
    yield check("one piece", whole, "a chat completion", capture.body[:80].decode(errors="replace"))


PROBES = (usage_chunk, usage_null, usage_default_off, obfuscation, options_alone)
