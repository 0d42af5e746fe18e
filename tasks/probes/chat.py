"""Probes of the shape of a chat's answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from harness.conformance import Capture, Check, Seen, Untestable, accepted, brief, check, count, dig, probe
from harness.conformance.plain import PLAIN
from harness.contract import THINKING_MARKERS

SPOKEN = ("content", "refusal", "reasoning", "reasoning_content")
LONGEST_AGO, FARTHEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Between these a time is believed where the response has no date to set it beside."""


@probe(
    "chat.basic",
    title="Answers a chat",
    sees=(PLAIN,),
    severity="core",
    spec="OpenAPI: CreateChatCompletionResponse",
    faults={"no_choices": "broken", "gzip_unasked": "broken", "bad_utf8": "broken"},
    profile=("smoke", "core", "full"),
)
def basic(seen: Seen) -> Iterator[Check]:
    """One user line gets 200, application/json and at least one choice with content or reasoning."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    yield check("content type", capture.media_type == "application/json", "application/json", capture.media_type)
    choices = capture.at("choices")
    yield check("choices", isinstance(choices, list) and bool(choices), "one choice or more", choices)
    spoken = any(isinstance(capture.message.get(field), str) for field in SPOKEN)
    if not spoken and capture.cut_short:
        raise Untestable("headroom", "the output was cut before it said anything")
    yield check("content", spoken, "a string as content or reasoning", capture.at("choices", 0))


@probe(
    "chat.required_fields",
    title="Sends every required field",
    sees=(PLAIN,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionResponse.required",
    faults={"no_created": "broken", "no_id": "broken", "finish_null": "broken"},
    profile=("smoke", "core", "full"),
    rev=2,
)
def required_fields(seen: Seen) -> Iterator[Check]:
    """The answer holds id, object, created, model and choices, and each choice index, message and finish_reason."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    for field in ("id", "object", "model"):
        value = capture.at(field)
        yield check(field, isinstance(value, str) and bool(value), "a non-empty string", value)
    created = capture.at("created")
    stamp = isinstance(created, int | float) and not isinstance(created, bool)
    yield check("created", stamp, "seconds as an integer", created)
    choices = capture.at("choices")
    yield check("choices", isinstance(choices, list) and bool(choices), "one choice or more", choices)
    for choice in choices:
        index, finish = dig(choice, "index"), dig(choice, "finish_reason")
        message = dig(choice, "message")
        yield check("choice.index", isinstance(index, int) and not isinstance(index, bool), "an integer", index)
        yield check("choice.finish_reason", isinstance(finish, str), "a string", finish)
        yield check("choice.message", isinstance(message, dict), "an object", message)
    # Typed clients are generated for an integer, yet a number with a fraction still tells the time.
    yield check("created is whole", isinstance(created, int), "an integer", created, must=False)


@probe(
    "chat.object_const",
    title="Names the kind of its answer",
    sees=(PLAIN,),
    severity="core",
    needs=("chat.required_fields",),
    spec="OpenAPI: CreateChatCompletionResponse.object",
    faults={"wrong_object": "broken"},
)
def object_const(seen: Seen) -> Iterator[Check]:
    """The field object of an answer is chat.completion."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    kind = capture.at("object")
    yield check("object", kind == "chat.completion", "chat.completion", kind)


@probe(
    "chat.role_assistant",
    title="Answers as the assistant",
    sees=(PLAIN,),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionResponseMessage.role",
    faults={"wrong_role": "broken"},
)
def role_assistant(seen: Seen) -> Iterator[Check]:
    """The message of an answer has the role assistant, and the first choice the index 0."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    role, index = capture.message.get("role"), capture.at("choices", 0, "index")
    yield check("message.role", role == "assistant", "assistant", role)
    yield check("choice.index", count(index) == 0, 0, index)


@probe(
    "chat.id_unique",
    title="Gives each answer an id of its own",
    over="run",
    needs=("chat.required_fields",),
    spec="OpenAPI: CreateChatCompletionResponse.id",
    faults={"same_id": "broken"},
)
def id_unique(seen: Seen) -> Iterator[Check]:
    """No two answers of a run have the same id."""
    first: dict[str, Capture] = {}
    for capture in seen.everything():
        name = dig(capture.chunks[0], "id") if capture.streamed else capture.at("id")
        # One that is empty names nothing; whether it may be is asked elsewhere.
        if not capture.is_chat or not isinstance(name, str) or not name:
            continue
        yield check("id", name not in first, "an id that no other answer has", name, of=capture)
        first[name] = capture
    if len(first) < 2:
        raise Untestable("evidence", "fewer than two answers have an id")


@probe(
    "chat.nullable_present",
    title="Sends the fields that may be null",
    sees=(PLAIN,),
    severity="ext",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionResponseMessage.required, CreateChatCompletionResponse.choices.required",
    faults={"lean_answer": "partial"},
)
def nullable_present(seen: Seen) -> Iterator[Check]:
    """The message of an answer has the field refusal and its choice the field logprobs, both of which may be null."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    yield check("message.refusal", "refusal" in capture.message, "a string or null", "absent", must=False)
    choice = capture.at("choices", 0)
    there = isinstance(choice, dict) and "logprobs" in choice
    yield check("choice.logprobs", there, "an object or null", "absent", must=False)


@probe(
    "chat.created_sane",
    title="Tells when it answered",
    sees=(PLAIN,),
    severity="ext",
    needs=("chat.required_fields",),
    spec="OpenAPI: CreateChatCompletionResponse.created",
    faults={"created_ms": "broken"},
)
def created_sane(seen: Seen) -> Iterator[Check]:
    """The field created is the time of the answer in seconds since 1970, within a day of the header date."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    created, date = capture.at("created"), _date(capture)
    low, high = (date - timedelta(days=1), date + timedelta(days=1)) if date else (LONGEST_AGO, FARTHEST)
    near = isinstance(created, int | float) and low.timestamp() <= created <= high.timestamp()
    yield check("created", near, f"{low.timestamp():.0f} to {high.timestamp():.0f}", created)


def _date(capture: Capture) -> datetime | None:
    """The response's header date; None: there is none that can be read."""
    try:
        found = parsedate_to_datetime(capture.header("date"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@probe(
    "chat.model_echo",
    title="Names the model that was asked for",
    sees=(PLAIN,),
    severity="ext",
    needs=("chat.required_fields",),
    spec="OpenAPI: CreateChatCompletionResponse.model",
    threads=("ggml-org/llama.cpp#17668",),
    faults={"other_model": "partial"},
)
def model_echo(seen: Seen) -> Iterator[Check]:
    """The field model is the model of the request, or an exact version of it that begins with that name."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    asked, told = seen.endpoint.model_id, capture.at("model")
    yield check("model", isinstance(told, str) and told.startswith(asked), f"{asked}…", told, must=False)


@probe(
    "chat.think_leak",
    title="Keeps thoughts out of the content",
    over="run",
    basis="eco",
    needs=("chat.basic",),
    spec="Reasoning servers: reasoning_content",
    faults={"leak_think": "broken", "reason_in_text": "broken"},
)
def think_leak(seen: Seen) -> Iterator[Check]:
    """No answer of a run has marks of thinking such as <think> in its content."""
    judged = False
    for capture in seen.everything():
        if not capture.is_chat or not capture.text:
            continue
        judged = True
        # What a request itself says may be repeated.
        sent = capture.attempt.request.body or b""
        leaked = [mark for mark in THINKING_MARKERS if mark in capture.text and mark.encode() not in sent]
        yield check("content", not leaked, "no mark of thinking", brief(capture.text, 80), of=capture)
    if not judged:
        raise Untestable("evidence", "no answer has visible text")


PROBES = (
    basic,
    required_fields,
    object_const,
    role_assistant,
    id_unique,
    nullable_present,
    created_sane,
    model_echo,
    think_leak,
)
