"""Probes of chats that are unusual and yet allowed: they are answered, or cleanly refused, and nothing falls over."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import Check, Probe, Scenario, Seen, accepted, chat, check, envelope, probe, said_no
from harness.conformance.plain import HELLO

NULLS: dict[str, Any] = dict.fromkeys(
    (
        *("frequency_penalty", "logit_bias", "logprobs", "metadata", "n", "presence_penalty", "seed", "stop"),
        *("stream_options", "temperature", "top_logprobs", "top_p"),
    )
)
"""Parameters that the specification lets be null."""
UNKNOWN = "x_zz_probe"


def tolerates(id: str, title: str, scenario: Scenario, criterion: str, **fields: Any) -> Probe:  # noqa: A002 - as in probe
    """A probe of one request that has to be answered; a refusal that says why counts as such."""

    def judge(seen: Seen) -> Iterator[Check]:
        capture = seen[scenario]
        yield from accepted(capture)
        choices = capture.at("choices")
        yield check("choices", isinstance(choices, list) and bool(choices), "one choice or more", choices)

    judge.__doc__ = criterion
    return probe(id, title=title, sees=(scenario,), needs=("chat.basic",), **fields)(judge)


def said(name: str, title: str, *messages: tuple[str, str], **fields: Any) -> Scenario:
    """A short chat of these roles and texts."""
    return chat(name, title, [{"role": role, "content": text} for role, text in messages], cap=16, **fields)


STRANGER = chat("chat_unknown_field", f"one line with a parameter nobody knows, {UNKNOWN}", HELLO, cap=16, x_zz_probe=1)


@probe(
    "chat.unknown_field",
    title="Copes with a parameter it does not know",
    sees=(STRANGER,),
    severity="ext",
    basis="eco",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest",
    faults={"crash_unknown": "broken"},
)
def unknown_field(seen: Seen) -> Iterator[Check]:
    """An unknown parameter is passed over, or refused with the documented error body that names it."""
    capture = seen[STRANGER]
    if not said_no(capture):
        yield from accepted(capture)
        return
    yield from envelope(capture)
    named = UNKNOWN.encode() in capture.body
    yield check("the error names it", named, UNKNOWN, capture.at("error", "message"), must=False)


PROBES = (
    unknown_field,
    tolerates(
        "chat.null_optionals",
        "Takes null for a parameter that is not set",
        chat("chat_nulls", "one line with twelve parameters of null", HELLO, cap=16, **NULLS),
        "Twelve optional parameters with the value null are taken as if they were not there.",
        spec="OpenAPI: CreateChatCompletionRequest, nullable properties",
        faults={"reject_null": "rejected"},
    ),
    tolerates(
        "chat.metadata_store",
        "Takes what is meant for the vendor's books",
        chat(
            "chat_books",
            "one line with store, user, safety_identifier and prompt_cache_key",
            HELLO,
            cap=16,
            store=False,
            user="probe",
            safety_identifier="probe",
            prompt_cache_key="probe",
        ),
        "The parameters store, user, safety_identifier and prompt_cache_key are taken, used or not.",
        severity="ext",
        spec="OpenAPI: CreateChatCompletionRequest.store, .user, .safety_identifier, .prompt_cache_key",
        faults={"reject_store": "rejected"},
    ),
    tolerates(
        "chat.same_role_runs",
        "Takes two messages of the user in a row",
        said("chat_user_user", "two messages of the user in a row", ("user", "Good morning."), ("user", HELLO)),
        "Two messages of the user in a row are answered, or refused with an error that says so.",
        spec="OpenAPI: CreateChatCompletionRequest.messages",
        faults={"strict_turns": "rejected"},
    ),
    tolerates(
        "chat.only_system",
        "Takes a system message alone",
        said("chat_system_alone", "a system message alone", ("system", HELLO)),
        "A system message alone is answered, or refused with an error that says so.",
        severity="ext",
        spec="OpenAPI: CreateChatCompletionRequest.messages",
        faults={"need_user": "rejected"},
    ),
    tolerates(
        "chat.content_empty",
        "Takes an empty message",
        said("chat_empty", "a message of the user that is empty", ("user", "")),
        "An empty message of the user is answered, or refused with an error that says so.",
        severity="ext",
        spec="OpenAPI: ChatCompletionRequestUserMessage.content",
        faults={"reject_empty_text": "rejected"},
    ),
    tolerates(
        "chat.nul_char",
        "Survives the sign NUL",
        said("chat_nul", "a line with the sign NUL", ("user", "a\0b")),
        "A message with the sign NUL is answered, or refused with an error that says so.",
        spec="RFC 8259, 7",
        faults={"crash_nul": "broken"},
    ),
    tolerates(
        "chat.lone_surrogate",
        "Survives half of a surrogate pair",
        said("chat_surrogate", "a line with half of a surrogate pair", ("user", "Say hello to \ud83d.")),
        "A message with half of a surrogate pair is answered, or refused with an error that says so.",
        severity="ext",
        spec="RFC 8259, 8.2",
        faults={"crash_surrogate": "broken"},
    ),
)
