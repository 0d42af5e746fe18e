"""Probes of single fields that are missing, of a wrong type or of a value that cannot be."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    MISSHAPEN_REFUSALS,
    Check,
    Seen,
    chat,
    check,
    envelope,
    literal,
    probe,
    refuses,
)
from harness.conformance.plain import HELLO
from harness.conformance.scenario import Scenario
from harness.provider import Endpoint


def _wrong(name: str, title: str, **fields: Any) -> Scenario:
    return chat(f"error_{name}", title, HELLO, cap=8, surface="error", **fields)


def _said(endpoint: Endpoint, **fields: Any) -> bytes:
    """A body with fields that chat() means otherwise."""
    limit = endpoint.provider.quirks.max_tokens_field
    plain = {"model": endpoint.model_id, "messages": [{"role": "user", "content": HELLO}], limit: 8}
    return json.dumps(plain | fields).encode()


def _capped(name: str, title: str, cap: int) -> Scenario:
    return chat(f"error_{name}", title, HELLO, cap=cap, surface="error")


NO_MESSAGES = chat("error_missing_messages", "no messages", HELLO, cap=8, surface="error", without=("messages",))
NO_MODEL = chat("error_missing_model", "no model", HELLO, cap=8, surface="error", without=("model",))
NONE = chat("error_empty_messages", "an empty array of messages", (), cap=8, surface="error")
TEXT = literal("error_messages_type", "messages that are a string", partial(_said, messages=HELLO), surface="error")
STRANGER = ({"role": "zzz", "content": HELLO},)
ROLE = chat("error_unknown_role", "a message of the role zzz", STRANGER, cap=8, surface="error")
NEGATIVE = _capped("negative_max", "a limit of -1 tokens", -1)
ZERO = _capped("zero_max", "a limit of 0 tokens", 0)
HOT = _wrong("string_number", "the word hot as temperature", temperature="hot")
NUMBER = _wrong("model_type", "a number as model", model=123)
YES = literal("error_stream_type", "the word yes for stream", partial(_said, stream="yes"), surface="error")


@probe(
    "error.missing_messages",
    title="Refuses a chat without messages",
    sees=(NO_MESSAGES,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.required",
    faults={**BAD_REFUSALS, "ignore_empty_messages": "ignored"},
)
def missing_messages(seen: Seen) -> Iterator[Check]:
    """Without messages the answer is 400 and the documented error body, whose param names messages."""
    yield from refuses(seen[NO_MESSAGES], param="messages")


@probe(
    "error.missing_model",
    title="Refuses a chat without a model",
    sees=(NO_MODEL,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.required",
    faults={**BAD_REFUSALS, "default_model": "partial"},
)
def missing_model(seen: Seen) -> Iterator[Check]:
    """Without a model the answer is 400 or 404 and the documented error body; a server of one model may answer."""
    capture = seen[NO_MODEL]
    status = capture.status or 0
    if status == 200 and capture.at("choices"):
        yield check("refused", False, "400", f"200 by {capture.at('model')}", must=False)  # noqa: FBT003 - it answered
        return
    yield check("status", 400 <= status < 500, "400 or 404", status)
    yield from envelope(capture)
    yield check("status 400 or 404", status in (400, 404), "400 or 404", status, must=False)


@probe(
    "error.empty_messages",
    title="Refuses an empty conversation",
    sees=(NONE,),
    severity="core",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.messages, minItems",
    threads=("vllm-project/vllm#17664",),
    faults={**BAD_REFUSALS, "ignore_empty_messages": "ignored"},
)
def empty_messages(seen: Seen) -> Iterator[Check]:
    """An empty array of messages gets 400 and the documented error body."""
    yield from refuses(seen[NONE])


@probe(
    "error.messages_type",
    title="Refuses messages that are no array",
    sees=(TEXT,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.messages",
    faults={**MISSHAPEN_REFUSALS, "lenient_types": "ignored", "status_500": "broken", "crash_on_type": "broken"},
)
def messages_type(seen: Seen) -> Iterator[Check]:
    """A string in the place of messages gets 400 or 422 and the documented error body."""
    yield from _mistyped(seen, TEXT)


@probe(
    "error.unknown_role",
    title="Refuses an unknown role",
    sees=(ROLE,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestMessage",
    faults={**BAD_REFUSALS, "ignore_role": "ignored"},
)
def unknown_role(seen: Seen) -> Iterator[Check]:
    """A message of a role that does not exist gets 400 and the documented error body."""
    yield from refuses(seen[ROLE])


@probe(
    "error.negative_max",
    title="Refuses a negative limit of tokens",
    sees=(NEGATIVE,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    threads=("lmstudio-ai/lmstudio-bug-tracker#619",),
    faults={**BAD_REFUSALS, "ignore_ranges": "ignored"},
)
def negative_max(seen: Seen) -> Iterator[Check]:
    """A limit of -1 output tokens gets 400 and the documented error body."""
    yield from refuses(seen[NEGATIVE])


@probe(
    "error.zero_max",
    title="Survives a limit of no tokens",
    sees=(ZERO,),
    severity="ext",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.max_completion_tokens",
    threads=("vllm-project/vllm#6521",),
    faults={**BAD_REFUSALS, "crash_on_zero": "broken"},
)
def zero_max(seen: Seen) -> Iterator[Check]:
    """A limit of 0 output tokens gets 400 and the documented error body, or an empty answer that ends with length."""
    capture = seen[ZERO]
    if capture.status == 200 and not capture.text and capture.finish_reason == "length":
        yield check("an empty answer", True)  # noqa: FBT003 - both halves were looked at above
        return
    yield from refuses(capture)


@probe(
    "error.string_number",
    title="Refuses a word for a number",
    sees=(HOT,),
    severity="common",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.temperature",
    faults={**MISSHAPEN_REFUSALS, "lenient_types": "ignored", "status_500": "broken", "crash_on_type": "broken"},
)
def string_number(seen: Seen) -> Iterator[Check]:
    """The word hot as temperature gets 400 or 422 and the documented error body."""
    yield from _mistyped(seen, HOT)


@probe(
    "error.model_type",
    title="Refuses a number as model",
    sees=(NUMBER,),
    severity="ext",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.model",
    faults={**MISSHAPEN_REFUSALS, "lenient_types": "ignored", "status_500": "broken", "crash_on_type": "broken"},
)
def model_type(seen: Seen) -> Iterator[Check]:
    """A number in the place of the model gets 400, 404 or 422 and the documented error body."""
    yield from _mistyped(seen, NUMBER, 404)


@probe(
    "error.stream_type",
    title="Refuses a word for a switch",
    sees=(YES,),
    severity="ext",
    basis="observed",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.stream",
    faults={**MISSHAPEN_REFUSALS, "status_500": "broken", "crash_on_type": "broken"},
)
def stream_type(seen: Seen) -> Iterator[Check]:
    """The word yes for stream gets 400 or 422, or an answer whose type and body agree on whether it is a stream."""
    capture = seen[YES]
    if capture.status != 200:
        yield from _mistyped(seen, YES)
        return
    yield check("no error inside a 200", not capture.at("error"), "no error object", capture.at("error"))
    whole, events = isinstance(capture.json, dict), bool(capture.chunks)
    yield check("an answer", whole or events, "JSON or events", capture.body.decode(errors="replace"))
    expected = "application/json" if whole else "text/event-stream"
    yield check("type and body agree", capture.media_type == expected, expected, capture.media_type)


def _mistyped(seen: Seen, scenario: Scenario, *more: int) -> Iterator[Check]:
    """Checks of a refusal of a wrong type, for which 422 is as good a status as 400."""
    status = seen[scenario].status or 0
    yield from refuses(seen[scenario], status if status in (422, *more) else 400)


PROBES = (
    missing_messages,
    missing_model,
    empty_messages,
    messages_type,
    unknown_role,
    negative_max,
    zero_max,
    string_number,
    model_type,
    stream_type,
)
