"""Probes of the streamed answer."""

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


@probe(
    "stream.done",
    title="Ends a stream with [DONE]",
    sees=(STREAM,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API reference: chat completions, streaming",
    profile=("smoke", "core", "full"),
)
def done(seen: Seen) -> Iterator[Check]:
    """The last event of a stream is data: [DONE]."""
    capture = seen[STREAM]
    yield from streamed(capture)
    data = [event.data.strip() for event in capture.events]
    finished = any(dig(chunk, "choices", 0, "finish_reason") for chunk in capture.chunks)
    # Without either of the two a complete answer cannot be told from one that was cut.
    yield check("the end is marked", DONE in data or finished, "[DONE]", data[-1])
    yield check("[DONE]", DONE in data, "[DONE]", data[-1], must=False)
    yield check("[DONE] is last and sent once", DONE not in data[:-1], "nothing after [DONE]", data[-1], must=False)
    whole = capture.body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
    yield check("the last event is ended", whole, "an empty line", repr(capture.body[-20:]), must=False)


@probe(
    "stream.usage_chunk",
    title="Reports usage at the end of a stream",
    sees=(STREAM_USAGE,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionStreamOptions.include_usage",
    profile=("smoke", "core", "full"),
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


PROBES = (done, usage_chunk)
