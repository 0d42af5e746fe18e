"""Probes of a stream as a whole: that it is one, where it ends, and that its end can be told from a cut."""

from collections.abc import Iterator

from harness.conformance import DONE, Check, Seen, check, dig, parse, probe, streamed, streams
from harness.conformance.plain import STREAM, STREAMS

ONE = ("stream.status_type",)


@probe(
    "stream.status_type",
    title="Answers stream: true with an event stream",
    sees=(STREAM,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: createChatCompletion, response 200; WHATWG HTML: text/event-stream",
    faults={
        "no_stream": "ignored",
        "wrong_type": "partial",
        "error_and_done": "broken",
    },
)
def status_type(seen: Seen) -> Iterator[Check]:
    """With stream: true the answer is 200, a stream without an error in it, and says text/event-stream."""
    capture = seen[STREAM]
    yield from streamed(capture)
    # Official clients read the stream whatever it is called; browsers and proxies do not.
    kind = capture.media_type
    yield check("content type", kind == "text/event-stream", "text/event-stream", kind or "none", must=False)


@probe(
    "stream.done",
    title="Ends a stream with [DONE]",
    sees=(STREAM,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="API reference: chat completions, streaming",
    threads=("ppl-ai/api-discussion#209",),
    profile=("smoke", "core", "full"),
    faults={
        "no_stream": "ignored",
        "no_done": "partial",
        "after_done": "partial",
        "text_after_done": "partial",
        "done_twice": "partial",
        "no_last_blank": "partial",
        "error_and_done": "broken",
    },
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
    "stream.after_done",
    title="Says nothing after [DONE]",
    sees=STREAMS,
    over="all",
    basis="observed",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    faults={"after_done": "partial", "done_twice": "partial", "text_after_done": "broken"},
)
def after_done(seen: Seen) -> Iterator[Check]:
    """No event follows the first [DONE] of a stream; what a chunk after it says is lost."""
    for capture in streams(seen):
        data = [event.data.strip() for event in capture.events]
        later = data[data.index(DONE) + 1 :] if DONE in data else []
        said = [text for text in later if _says(parse(text))]
        yield check("no text after [DONE]", not said, "nothing after [DONE]", " ".join(said), of=capture)
        yield check("[DONE] is last", not later, "nothing after [DONE]", " ".join(later), must=False, of=capture)


def _says(chunk: object) -> bool:
    delta = dig(chunk, "choices", 0, "delta")
    return isinstance(delta, dict) and any(delta.get(name) for name in ("content", "tool_calls", "refusal"))


@probe(
    "stream.finish_once",
    title="Gives a streamed choice one finish reason",
    sees=STREAMS,
    over="all",
    severity="core",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices[].finish_reason",
    faults={"finish_never": "broken", "finish_null": "broken", "finish_twice": "partial"},
)
def finish_once(seen: Seen) -> Iterator[Check]:
    """Just one chunk of each choice holds a finish reason."""
    for capture in streams(seen):
        reasons = [part["finish_reason"] for part in capture.parts(None) if part.get("finish_reason")]
        yield check("a finish reason", bool(reasons), "one", "none", of=capture)
        one = all(reason == reasons[0] for reason in reasons)
        yield check("finish reasons agree", one, reasons[0], reasons, of=capture)
        yield check("it comes once", len(reasons) == 1, "one chunk", f"{len(reasons)} chunks", must=False, of=capture)


@probe(
    "stream.finish_last",
    title="Says nothing after the finish reason",
    sees=STREAMS,
    over="all",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices[].finish_reason",
    faults={"text_after_finish": "broken", "text_after_done": "broken"},
)
def finish_last(seen: Seen) -> Iterator[Check]:
    """No chunk after the one with the finish reason holds text or a piece of a call."""
    for capture in streams(seen):
        finished, late = False, list[str]()
        for part in capture.parts(None):
            if finished and _says({"choices": [part]}):
                late.append(str(part.get("delta")))
            finished = finished or bool(part.get("finish_reason"))
        yield check("nothing said after the end", not late, "empty deltas", " ".join(late), of=capture)


@probe(
    "stream.finish_alone",
    title="Gives the finish reason a chunk of its own",
    sees=STREAMS,
    over="all",
    severity="ext",
    basis="observed",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    threads=("vllm-project/vllm#36944",),
    faults={"finish_with_text": "partial"},
)
def finish_alone(seen: Seen) -> Iterator[Check]:
    """The chunk with the finish reason has an empty delta."""
    for capture in streams(seen):
        ends = [part for part in capture.parts(None) if part.get("finish_reason")]
        full = [part.get("delta") for part in ends if _says({"choices": [part]})]
        yield check("an empty delta", not full, "{}", full, must=False, of=capture)


@probe(
    "stream.null_before",
    title="Has finish_reason null until the end",
    sees=STREAMS,
    over="all",
    severity="ext",
    needs=ONE,
    spec="OpenAPI: CreateChatCompletionStreamResponse.choices[], required",
    faults={"no_finish_key": "partial"},
)
def null_before(seen: Seen) -> Iterator[Check]:
    """Every choice of a chunk has the key finish_reason, which is null before the end."""
    for capture in streams(seen):
        odd = [part for part in capture.parts(None) if part.get("finish_reason", "") == ""]
        yield check("finish_reason", not odd, "null", odd[0] if odd else "", must=False, of=capture)


@probe(
    "stream.truncation_visible",
    title="Makes no cut stream look whole",
    sees=STREAMS,
    over="all",
    basis="eco",
    needs=ONE,
    spec="API reference: chat completions, streaming",
    threads=("deepseek-ai/DeepSeek-V3#1608",),
    faults={"finish_never": "partial", "finish_null": "partial"},
)
def truncation_visible(seen: Seen) -> Iterator[Check]:
    """A stream without a finish reason does not end with [DONE], so that nobody takes it for a whole answer."""
    for capture in streams(seen):
        cut = capture.finish_reason is None
        # We never count it as a success, yet clients that wait for [DONE] alone do.
        whole = capture.done_ns is not None
        yield check("a cut can be seen", not (cut and whole), "no [DONE]", "[DONE]", must=False, of=capture)


PROBES = (
    status_type,
    done,
    after_done,
    finish_once,
    finish_last,
    finish_alone,
    null_before,
    truncation_visible,
)
