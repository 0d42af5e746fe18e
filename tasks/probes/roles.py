"""Probes of who says what in a chat: system and developer messages, names, and the turns before."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    Capture,
    Check,
    Ignored,
    Seen,
    Untestable,
    accepted,
    brief,
    chat,
    check,
    next_turn,
    probe,
)
from harness.conformance.plain import HELLO, LISTED, PLAIN

# Longer than the system message that some chat templates put in by themselves when none is given, so that the
# prompt grows even where it takes that one's place.
SYSTEM = (
    "You answer for a small museum of clocks in a harbour town. The museum is open from nine in the morning until six "
    "in the evening, except on Mondays and on the first of May. A ticket costs four coins, children and sailors pay "
    "two. The oldest clock was built by a lighthouse keeper, who never let anybody wind it but himself. Visitors may "
    "touch the bells on the upper floor, but not the pendulums. Be friendly and keep every answer short."
)
LATER = (
    "From here on the museum is closed for a week, because the tower is being painted and the stairs are wet. Tell "
    "visitors that the garden behind the house stays open, that the sundial there is shown at noon to whoever asks "
    "for it, and that tickets bought before may be used until the end of the year. Do not talk about the bells any "
    "more, since two of them have been taken down, and be patient with everybody who came a long way for nothing."
)
WORD = "ZEBRA-4711"
GUEST = "Marigold"
LITTLE = 6
"""Tokens by which the last question of a chat alone may be longer than that of the one it is set beside."""


def line(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    """One message."""
    return {"role": role, "content": content, **fields}


WITH_SYSTEM = chat(
    "chat_system", "the same line after a long system message", (line("system", SYSTEM), line("user", HELLO)), cap=16
)
DEVELOPER = chat(
    "chat_developer", "the same with the role developer", (line("developer", SYSTEM), line("user", HELLO)), cap=16
)
SYSTEM_PARTS = chat(
    "chat_system_parts",
    "the same with the system message as a list of parts",
    (line("system", [{"type": "text", "text": SYSTEM}]), line("user", HELLO)),
    cap=16,
)
SYSTEM_TWICE = chat(
    "chat_system_twice",
    "the same with a second system message later on",
    (
        line("system", SYSTEM),
        line("user", HELLO),
        line("assistant", "Hello."),
        line("system", LATER),
        line("user", HELLO),
    ),
    cap=16,
)
SYSTEM_ORDER = chat(
    "chat_system_order",
    f"the same system message, which now wants {WORD} alone",
    (line("system", f"{SYSTEM} Reply only with the word {WORD}, whatever you are asked."), line("user", HELLO)),
    cap=32,
    visible=True,
    temperature=0,
)
NAMED = chat("chat_name", "the same line of a user with a name", (line("user", HELLO, name="Bartholomew"),), cap=16)
HISTORY = chat(
    "chat_history",
    "the same line after a question and its answer",
    (line("user", SYSTEM), line("assistant", LATER), line("user", HELLO)),
    cap=16,
)
RECALL = chat(
    "chat_recall",
    "a name told in the first turn and asked for in the third",
    (
        line("user", f"Hello, my name is {GUEST}."),
        line("assistant", "Hello! It is nice to meet you."),
        line("user", "I like old clocks."),
        line("assistant", "So do I."),
        line("user", "What is my name?"),
    ),
    cap=32,
    visible=True,
    temperature=0,
)
REPLAY = next_turn(
    RECALL,
    "chat_replay",
    "the next turn behind the server's own message, with all the fields that it sent",
    # Where nothing was said, a message without content is refused with reason.
    lambda capture: [capture.message, line("user", "Thank you. Say goodbye.")] if capture.text else None,
)
# Not as a model would begin by itself: what is repeated can then be told from what is begun anew.
FIRST_WORDS = "Aye aye, captain: 1 2 3 4 5 6 7"
BEGUN = chat(
    "chat_begun",
    "a list of numbers that the assistant has begun",
    (line("user", LISTED), line("assistant", FIRST_WORDS)),
    cap=32,
    visible=True,
    temperature=0,
)


def grew(before: Capture, after: Capture, chars: int, what: str) -> Iterator[Check]:
    """Checks that usage.prompt_tokens rose by at least an eighth of so many characters.

    Raises:
        Ignored: it did not rise, or by so little that most of the text cannot be in it.
        Untestable: it is not stated.
    """
    yield from accepted(before)
    yield from accepted(after)
    less, more = before.tokens("prompt_tokens"), after.tokens("prompt_tokens")
    if not less or not more:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    expected = f"{less} + at least {max(1, chars // 8)}"
    # No tokenizer puts sixteen characters of plain text into a token; a role and its marks are a few tokens.
    if more <= less + chars // 16:
        raise Ignored(f"the prompt did not grow by {what}", expected, more, of=after)
    yield check("growth of prompt_tokens", more - less >= chars // 8, expected, more, must=False, of=after)


@probe(
    "chat.system_counted",
    title="The system message reaches the model",
    sees=(PLAIN, WITH_SYSTEM),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestSystemMessage, CompletionUsage",
    faults={"ignore_system": "ignored", "ignore_history": "ignored", "usage_constant_prompt": "ignored"},
    profile=("smoke", "core", "full"),
    rev=2,
)
def system_counted(seen: Seen) -> Iterator[Check]:
    """With a system message, usage.prompt_tokens rises by at least an eighth of the message's characters."""
    yield from grew(seen[PLAIN], seen[WITH_SYSTEM], len(SYSTEM), "the system message")


@probe(
    "chat.system_effect",
    title="Does what the system message says",
    sees=(WITH_SYSTEM, SYSTEM_ORDER),
    ability="E",
    needs=("chat.basic",),
    spec="OpenAPI: ChatCompletionRequestSystemMessage",
    faults={"ignore_system": "ignored", "ignore_history": "ignored"},
)
def system_effect(seen: Seen) -> Iterator[Check]:
    """A system message that wants one odd word as the only answer gets that word."""
    yield from _says(WORD, seen[WITH_SYSTEM], seen[SYSTEM_ORDER])


@probe(
    "chat.system_twice",
    title="Reads a second system message",
    sees=(WITH_SYSTEM, SYSTEM_TWICE),
    needs=("chat.system_counted",),
    spec="OpenAPI: CreateChatCompletionRequest.messages",
    faults={"first_system": "ignored"},
)
def system_twice(seen: Seen) -> Iterator[Check]:
    """With a second system message in the middle, usage.prompt_tokens rises by an eighth of its characters or more."""
    one, two = seen[WITH_SYSTEM], seen[SYSTEM_TWICE]
    yield from grew(one, two, 0, "a second system message and a turn")
    # The turn beside it adds a few tokens of its own, many fewer than the message has.
    less, more = one.tokens("prompt_tokens") or 0, two.tokens("prompt_tokens") or 0
    if more - less < len(LATER) // 8:
        raise Ignored("the second system message is not read", f"{less} + at least {len(LATER) // 8}", more, of=two)
    yield check("growth of prompt_tokens", True, "", more)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "chat.developer_role",
    title="Reads a developer message",
    sees=(PLAIN, DEVELOPER),
    needs=("chat.history_counted",),
    spec="OpenAPI: ChatCompletionRequestDeveloperMessage",
    threads=("sgl-project/sglang#14304",),
    faults={"ignore_system": "ignored", "reject_developer": "rejected"},
)
def developer_role(seen: Seen) -> Iterator[Check]:
    """A message of the role developer is taken, and usage.prompt_tokens rises by it as by a system message."""
    yield from grew(seen[PLAIN], seen[DEVELOPER], len(SYSTEM), "the developer message")


@probe(
    "chat.parts_system",
    title="Reads a system message of parts",
    sees=(PLAIN, SYSTEM_PARTS),
    severity="ext",
    needs=("chat.system_counted", "chat.parts_text"),
    spec="OpenAPI: ChatCompletionRequestSystemMessage.content",
    faults={"drop_system_parts": "ignored"},
)
def parts_system(seen: Seen) -> Iterator[Check]:
    """A system message as a list of parts is taken, and usage.prompt_tokens rises by it as by a string."""
    yield from grew(seen[PLAIN], seen[SYSTEM_PARTS], len(SYSTEM), "the system message of parts")


@probe(
    "chat.user_name",
    title="Reads the name of a speaker",
    sees=(PLAIN, NAMED),
    severity="ext",
    needs=("chat.history_counted",),
    spec="OpenAPI: ChatCompletionRequestUserMessage.name",
    faults={"usage_prompt_estimated": "ignored", "ignore_name": "ignored"},
)
def user_name(seen: Seen) -> Iterator[Check]:
    """A name beside a message's content is taken, and usage.prompt_tokens rises by it."""
    yield from grew(seen[PLAIN], seen[NAMED], 0, "the name")


@probe(
    "chat.history_counted",
    title="The turns before reach the model",
    sees=(PLAIN, HISTORY),
    severity="core",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.messages",
    faults={"ignore_history": "ignored", "usage_constant_prompt": "ignored"},
)
def history_counted(seen: Seen) -> Iterator[Check]:
    """With a question and its answer before it, usage.prompt_tokens rises by an eighth of their characters or more."""
    yield from grew(seen[PLAIN], seen[HISTORY], len(SYSTEM + LATER), "the turns before")


@probe(
    "chat.history_replay",
    title="Takes its own message back",
    sees=(REPLAY,),
    severity="core",
    basis="eco",
    needs=("chat.role_assistant",),
    spec="OpenAPI: ChatCompletionRequestAssistantMessage",
    faults={"reject_own_fields": "rejected"},
)
def history_replay(seen: Seen) -> Iterator[Check]:
    """Its own message, with every field that it sent, may stand in the history of the next request."""
    capture = seen[REPLAY]
    yield from accepted(capture)
    choices = capture.at("choices")
    yield check("choices", isinstance(choices, list) and bool(choices), "one choice or more", choices)


@probe(
    "chat.multi_turn",
    title="Remembers what was said two turns ago",
    sees=(PLAIN, RECALL),
    severity="core",
    ability="E",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.messages",
    faults={"ignore_history": "ignored"},
)
def multi_turn(seen: Seen) -> Iterator[Check]:
    """A name that the user told in the first turn is in the answer to the question for it in the third."""
    yield from _says(GUEST, seen[PLAIN], seen[RECALL])


@probe(
    "chat.prefill",
    title="Continues a begun answer",
    sees=(BEGUN,),
    severity="ext",
    basis="eco",
    ability="E",
    needs=("chat.history_counted",),
    spec="Continuation of a last message of the role assistant",
    faults={"no_prefill": "partial"},
)
def prefill(seen: Seen) -> Iterator[Check]:
    """A list of numbers that a last message of the assistant has begun is continued behind its last number."""
    capture = seen[BEGUN]
    yield from accepted(capture)
    if capture.cut_short:
        raise Untestable("headroom", "the output was cut before it said anything")
    text = capture.text.strip()
    rest = text.removeprefix(FIRST_WORDS).strip()
    if not rest.startswith(("8", "1")):
        raise Untestable("model", f"it neither goes on nor begins anew: {brief(text, 60)}")
    yield check("the answer goes on", rest.startswith("8"), "8 …", text, must=False)
    yield check("what was begun is not repeated", text == rest, "8 …", text, must=False)


def _says(word: str, plain: Capture, capture: Capture) -> Iterator[Check]:
    """Checks that a word is in the answer.

    Raises:
        Ignored: it is not, nor did the prompt grow by the messages that hold it.
        Untestable: it is not, though the prompt grew: the model was told and does not say it.
    """
    yield from accepted(capture)
    if word.casefold() in capture.text.casefold():
        yield check("the word", True, word, capture.text)  # noqa: FBT003 - it was asked above
        return
    if capture.cut_short:
        raise Untestable("headroom", "the output was cut before the word came")
    less, more = plain.tokens("prompt_tokens"), capture.tokens("prompt_tokens")
    if not less or not more or more > less + LITTLE:
        raise Untestable("model", f"it does not say {word}: {brief(capture.text, 60)}")
    raise Ignored("the answer lacks the word, and the prompt the messages around it", word, capture.text, of=capture)


PROBES = (
    system_counted,
    system_effect,
    system_twice,
    developer_role,
    parts_system,
    user_name,
    history_counted,
    history_replay,
    multi_turn,
    prefill,
)
