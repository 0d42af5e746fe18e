"""Probes of a prompt that is longer than the model can read: expensive, so sent only when asked for."""

from collections.abc import Iterator
from functools import partial

from harness import request
from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    after,
    bare,
    check,
    count,
    dig,
    probe,
    refuses,
)
from harness.provider import Endpoint
from harness.types import JsonObject, Request

USUAL = 160_000
"""Words that are sent where the endpoint does not tell how much it reads: a quarter more than most models do."""
MOST = 1_500_000
TOLD = ("max_model_len", "context_length", "context_window", "max_context_length", "max_context_window_tokens")
"""Names under which model lists tell the longest prompt; llama.cpp's stands in ``meta``."""
WORD = " hello"
"""At least one token to any tokenizer."""

SIZES = bare("error_context_size", "GET /models, for what it says of the context", "/models", surface="error")


def context_of(endpoint: Endpoint, capture: Capture) -> int | None:
    """Tokens that the model list says the model reads; None: it does not say."""
    data = capture.at("data")
    models = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    mine = next((each for each in models if each.get("id") == endpoint.model_id), models[0] if len(models) == 1 else {})
    told = [count(mine.get(name)) for name in TOLD] + [count(dig(mine, "meta", "n_ctx_train"))]
    return next((each for each in told if each), None)


def _words(endpoint: Endpoint, capture: Capture) -> int:
    context = context_of(endpoint, capture)
    return min(MOST, USUAL if context is None else context + context // 10 + 64)


def _body(endpoint: Endpoint, words: int, *, stream: bool) -> JsonObject:
    body: JsonObject = {"model": None, "messages": [{"role": "user", "content": WORD * words}]}
    return (
        body
        | {endpoint.provider.quirks.max_tokens_field: 4}
        | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})
    )


def _planned(endpoint: Endpoint, repeat: int, *, stream: bool) -> Request:  # noqa: ARG001 - there is one
    return request.raw(endpoint, _body(endpoint, USUAL, stream=stream), stream=stream)


def _fitted(endpoint: Endpoint, capture: Capture, *, stream: bool) -> Request:
    return request.raw(endpoint, _body(endpoint, _words(endpoint, capture), stream=stream), stream=stream)


WHOLE = after(
    SIZES,
    "error_context_overflow",
    "a prompt of a tenth more words than the model reads tokens",
    partial(_fitted, stream=False),
    planned=partial(_planned, stream=False),
)
STREAMED = after(
    SIZES,
    "error_overflow_stream",
    "the same as a stream",
    partial(_fitted, stream=True),
    planned=partial(_planned, stream=True),
)


@probe(
    "error.context_overflow",
    title="Refuses a prompt that is too long",
    sees=(WHOLE,),
    severity="core",
    basis="observed",
    ability="X",
    needs=("chat.basic",),
    spec="API guide: error codes",
    threads=(
        "ollama/ollama#17889",
        "ollama/ollama#4967",
        "kserve/kserve#3886",
        "vllm-project/vllm#34340",
    ),
    faults={
        **BAD_REFUSALS,
        "truncate_prompt": "ignored",
        "crash_on_overflow": "broken",
        "overflow_unnamed": "partial",
    },
)
def context_overflow(seen: Seen) -> Iterator[Check]:
    """A prompt beyond the model's context gets 400 and the documented error body with code context_length_exceeded."""
    capture = seen[WHOLE]
    _not_read_whole(capture)
    yield from refuses(capture)
    code = capture.at("error", "code")
    yield check("error.code", code == "context_length_exceeded", "context_length_exceeded", code, must=False)


@probe(
    "error.overflow_stream",
    title="Refuses a stream that is too long before it begins",
    sees=(STREAMED,),
    severity="common",
    basis="observed",
    ability="X",
    needs=("chat.basic",),
    spec="API guide: error codes; openai-python: status decides what is raised",
    faults={
        **BAD_REFUSALS,
        "truncate_prompt": "ignored",
        "crash_on_overflow": "broken",
        "error_as_stream": "broken",
    },
)
def overflow_stream(seen: Seen) -> Iterator[Check]:
    """Asked for as a stream, a prompt beyond the model's context gets a 4xx and no event."""
    capture = seen[STREAMED]
    told = capture.errors
    yield check("refused by its status", not told, "4xx", f"{capture.status} and {told}")
    _not_read_whole(capture)
    yield from refuses(capture)


def _not_read_whole(capture: Capture) -> None:
    """Nothing where the prompt was refused.

    Raises:
        Ignored: it was answered, and less was read than was sent.
        Untestable: it was answered, and all may have been read.
    """
    if capture.status != 200 or not (capture.at("choices") or capture.chunks):
        return
    words = str(dig(capture.sent, "messages", 0, "content")).count(WORD)
    read = capture.tokens("prompt_tokens")
    if read is None:
        raise Untestable("evidence", f"{words} words were answered, and usage does not say how many were read")
    if read >= words:
        raise Untestable("evidence", f"its context holds all of {words} words")
    raise Ignored("the prompt was cut and answered", f"400, or {words} tokens or more read", f"{read} read", of=capture)


PROBES = (context_overflow, overflow_stream)
