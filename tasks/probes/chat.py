"""Probes of the plain chat answer."""

from collections.abc import Iterator

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, chat, check, dig, probe
from harness.conformance.plain import HELLO, PLAIN

# Longer than the system message that some chat templates put in by themselves when none is given, so that the
# prompt grows even where it takes that one's place.
SYSTEM = (
    "You answer for a small museum of clocks in a harbour town. The museum is open from nine in the morning until six "
    "in the evening, except on Mondays and on the first of May. A ticket costs four coins, children and sailors pay "
    "two. The oldest clock was built by a lighthouse keeper, who never let anybody wind it but himself. Visitors may "
    "touch the bells on the upper floor, but not the pendulums. Be friendly and keep every answer short."
)

WITH_SYSTEM = chat(
    "chat_system",
    "the same line after a long system message",
    ({"role": "system", "content": SYSTEM}, {"role": "user", "content": HELLO}),
    cap=16,
)
SPOKEN = ("content", "refusal", "reasoning", "reasoning_content")


@probe(
    "chat.basic",
    title="Answers a chat",
    sees=(PLAIN,),
    severity="core",
    spec="OpenAPI: CreateChatCompletionResponse",
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
    profile=("smoke", "core", "full"),
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
        yield check("message.role", dig(message, "role") == "assistant", "assistant", dig(message, "role"))
    # Typed clients are generated for an integer, yet a number with a fraction still tells the time.
    yield check("created is whole", isinstance(created, int), "an integer", created, must=False)


@probe(
    "chat.system_counted",
    title="The system message reaches the model",
    sees=(PLAIN, WITH_SYSTEM),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestSystemMessage, CompletionUsage",
    profile=("smoke", "core", "full"),
)
def system_counted(seen: Seen) -> Iterator[Check]:
    """With a system message, usage.prompt_tokens rises by at least an eighth of the message's characters."""
    without, given = seen[PLAIN], seen[WITH_SYSTEM]
    yield from accepted(without)
    yield from accepted(given)
    before, after = without.tokens("prompt_tokens"), given.tokens("prompt_tokens")
    if not before or not after:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    expected, actual = f"{before} + at least {len(SYSTEM) // 8}", after
    if after <= before:
        raise Ignored("the prompt did not grow by the system message", expected, actual)
    yield check("growth of prompt_tokens", after - before >= len(SYSTEM) // 8, expected, actual, must=False)


PROBES = (basic, required_fields, system_counted)
