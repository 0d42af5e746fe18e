"""Probes of conversations that hold calls and their results, written by us, so that no model has to be able to call."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    UNCLEAN,
    Check,
    Ignored,
    Probe,
    Scenario,
    Seen,
    Untestable,
    accepted,
    answered_or_refused,
    chat,
    check,
    probe,
    refuses,
)
from harness.conformance.plain import PLAIN
from harness.conformance.probe import Severity
from harness.types import JsonObject

ROLES = "OpenAPI: ChatCompletionRequestToolMessage, ChatCompletionRequestAssistantMessage"
TOOL: JsonObject = {
    "type": "function",
    "function": {
        "name": "read_log",
        "description": "Read the log of a lighthouse.",
        "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    },
}
SHORT_ID = "k4Tq9Zx2B"
"""Nine letters and digits: the only form that servers of one family take."""
SECOND_ID = "m7Rw3Yc5D"
FOREIGN_ID = "call_Zt9QmW4xKd7RbN2pLs6VhJc8"
"""As the original service makes them."""
CALM = "calm"
STORM = (
    "A storm came up from the north at six in the evening, the lamp was lit early, three fishing boats were seen on "
    "their way home, the fog horn was sounded every two minutes until midnight, and the keeper stayed awake all night "
    "to wind the clockwork, mend the broken pane on the seaward side and write down every ship that passed the reef."
)
QUESTION: JsonObject = {"role": "user", "content": "What does the log say about Monday?"}


def call(id: str, day: str = "Monday") -> JsonObject:  # noqa: A002 - the field's name
    """One call of the tool."""
    return {"id": id, "type": "function", "function": {"name": "read_log", "arguments": f'{{"day": "{day}"}}'}}


def result(id: str, content: Any) -> JsonObject:  # noqa: A002 - the field's name
    """A message with a result."""
    return {"role": "tool", "tool_call_id": id, "content": content}


def told(name: str, title: str, *messages: JsonObject) -> Scenario:
    """A conversation that begins with the question."""
    return chat(f"tools_{name}", title, (QUESTION, *messages), cap=16, surface="tools", tools=[TOOL], temperature=0)


def asking(*calls: JsonObject) -> JsonObject:
    """A message of the assistant with calls and no text."""
    return {"role": "assistant", "content": None, "tool_calls": [*calls]}


SHORT = told("result_short", "a call and a result of one word", asking(call(SHORT_ID)), result(SHORT_ID, CALM))
LONG = told("result_long", "the same with a long result", asking(call(SHORT_ID)), result(SHORT_ID, STORM))
FOREIGN = told("id_opaque", "the same with an id of another server", asking(call(FOREIGN_ID)), result(FOREIGN_ID, CALM))
ABSENT = told(
    "no_content",
    "the same without the key content beside the call",
    {"role": "assistant", "tool_calls": [call(SHORT_ID)]},
    result(SHORT_ID, CALM),
)
PARTS = told(
    "result_parts",
    "the long result as a list of text parts",
    asking(call(SHORT_ID)),
    result(SHORT_ID, [{"type": "text", "text": STORM}]),
)
BOTH = told(
    "multi_results",
    "two calls with long results, the second one's first",
    asking(call(SHORT_ID), call(SECOND_ID, "Tuesday")),
    result(SECOND_ID, STORM),
    result(SHORT_ID, STORM),
)
NO_ID = told("result_no_id", "a result without tool_call_id", asking(call(SHORT_ID)), {"role": "tool", "content": CALM})
ORPHAN = told("orphan_result", "a result without a call before it", result(SHORT_ID, CALM))
UNANSWERED = told(
    "unanswered_call",
    "a call without a result, and the user goes on",
    asking(call(SHORT_ID)),
    {"role": "user", "content": "Never mind. Say hello."},
)


@probe(
    "tools.assistant_null",
    title="Takes a call with content null",
    sees=(SHORT,),
    severity="core",
    needs=("tools.accept",),
    spec="OpenAPI: ChatCompletionRequestAssistantMessage.content",
    faults={"reject_null_content": "rejected"},
)
def assistant_null(seen: Seen) -> Iterator[Check]:
    """A conversation with a call whose content is null, and its result, is answered."""
    yield from accepted(seen[SHORT])


@probe(
    "tools.result_forced",
    title="A result reaches the model",
    sees=(PLAIN, SHORT, LONG),
    severity="core",
    needs=("tools.assistant_null",),
    spec=f"{ROLES}, CompletionUsage",
    faults={"ignore_tool_results": "ignored"},
)
def result_forced(seen: Seen) -> Iterator[Check]:
    """With a long result in place of a short one, prompt_tokens rises by an eighth of its characters or more."""
    yield from grows(seen, SHORT, LONG, len(STORM) - len(CALM))


@probe(
    "tools.result_parts",
    title="Takes a result as parts",
    sees=(PLAIN, SHORT, PARTS),
    severity="ext",
    needs=("tools.assistant_null", "tools.result_forced"),
    spec="OpenAPI: ChatCompletionRequestToolMessageContentPart",
    faults={"drop_parts": "ignored", "reject_parts": "rejected"},
)
def result_parts(seen: Seen) -> Iterator[Check]:
    """A long result as a list of text parts is answered and counted in prompt_tokens."""
    yield from grows(seen, SHORT, PARTS, len(STORM) - len(CALM))


@probe(
    "tools.multi_results",
    title="Takes several results in any order",
    sees=(PLAIN, LONG, BOTH),
    needs=("tools.assistant_null", "tools.result_forced"),
    spec=ROLES,
    faults={"ignore_history": "ignored", "last_result": "ignored"},
)
def multi_results(seen: Seen) -> Iterator[Check]:
    """Two calls with results in the other order are answered, and both results are counted in prompt_tokens."""
    yield from grows(seen, LONG, BOTH, len(STORM))


def grows(seen: Seen, less: Scenario, more: Scenario, by: int) -> Iterator[Check]:
    """Checks that the prompt grows with the characters that one conversation has more than another."""
    small, large = seen[less], seen[more]
    yield from accepted(small)
    yield from accepted(large)
    before, after = small.tokens("prompt_tokens"), large.tokens("prompt_tokens")
    if not before or not after:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    if before == after == seen[PLAIN].tokens("prompt_tokens"):
        raise Untestable("evidence", f"usage.prompt_tokens is {before} for every prompt")
    grown = after - before >= by // 8
    if not grown:
        raise Ignored("the prompt did not grow by the result", f"{before} + at least {by // 8}", after, of=large)
    yield check("growth of prompt_tokens", grown, f"{before} + at least {by // 8}", after)


TAKEN = (
    (
        "id_opaque",
        "an id that another server gave",
        "ChatCompletionMessageToolCall.id",
        FOREIGN,
        "tools.assistant_null",
        "reject_foreign_ids",
    ),
    (
        "assistant_no_content",
        "a call without the key content",
        "ChatCompletionRequestAssistantMessage.required",
        ABSENT,
        "tools.accept",
        "reject_absent_content",
    ),
)


def taken(id: str, what: str, spec: str, scenario: Scenario, need: str, fault: str) -> Probe:  # noqa: A002 - as said
    """The probe of a conversation that has to be taken."""

    def judge(seen: Seen) -> Iterator[Check]:
        yield from accepted(seen[scenario])

    judge.__doc__ = f"A conversation with {what}, and its result, is answered."
    return probe(
        f"tools.{id}",
        title=f"Takes {what}",
        sees=(scenario,),
        needs=(need,),
        spec=f"OpenAPI: {spec}",
        faults={fault: "rejected"},
    )(judge)


ODD: tuple[tuple[str, Severity, str, Scenario], ...] = (
    ("orphan_result", "common", "A result without a call before it", ORPHAN),
    ("unanswered_call", "ext", "A call that nobody answered", UNANSWERED),
)


def survived(id: str, severity: Severity, what: str, scenario: Scenario) -> Probe:  # noqa: A002 - the field's name
    """The probe of a conversation that may be taken or refused, but must not hurt the server."""

    def judge(seen: Seen) -> Iterator[Check]:
        yield from answered_or_refused(seen[scenario])

    judge.__doc__ = f"{what} is answered, or cleanly refused with a 4xx."
    return probe(
        f"tools.{id}",
        title=f"Survives {what[0].lower()}{what[1:]}",
        sees=(scenario,),
        severity=severity,
        basis="observed",
        needs=("tools.accept",),
        spec=ROLES,
        faults={**UNCLEAN, "unpaired_500": "broken"},
    )(judge)


@probe(
    "tools.result_no_id",
    title="Refuses a result without tool_call_id",
    sees=(NO_ID,),
    severity="ext",
    needs=("tools.assistant_null",),
    spec="OpenAPI: ChatCompletionRequestToolMessage.required",
    faults={**BAD_REFUSALS, "ignore_call_id": "ignored"},
)
def result_no_id(seen: Seen) -> Iterator[Check]:
    """A result that does not say which call it is of is refused with 400 and the documented error body."""
    yield from refuses(seen[NO_ID])


PROBES = (
    assistant_null,
    result_forced,
    result_parts,
    multi_results,
    *(taken(*one) for one in TAKEN),
    *(survived(*one) for one in ODD),
    result_no_id,
)
