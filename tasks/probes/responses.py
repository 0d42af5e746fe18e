"""Probes of the Responses API: answers in one piece."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Check,
    Ignored,
    Refused,
    Seen,
    Untestable,
    accepted,
    check,
    count,
    parse,
    post,
    present,
    probe,
    refuses,
    respond,
)
from harness.conformance.plain import NO_POST
from harness.conformance.response import items, read_tokens, texts

HELLO = "Say hello."
ROOM = 64
CAP = 16
"""The smallest that the original service takes."""
DRAFT_BLOCK = 8
"""Servers that decode speculatively may run over by the rest of one block."""
CHARS_PER_TOKEN = 20
"""More than any tokenizer puts into one token on average."""
# Longer than the system message that some chat templates put in by themselves.
INSTRUCTIONS = (
    "You keep the guest book of an inn at the foot of a mountain pass. Breakfast is served from six until ten, and "
    "supper as soon as the last hikers are down. Dogs may sleep in the stable, never in the rooms. The road over the "
    "pass is closed from November until the snow has gone, and the post bus then turns round at the bridge. Whoever "
    "leaves before sunrise pays the evening before. Greet every guest by name, and keep each answer short."
)
ITEMS = (
    {"role": "user", "content": INSTRUCTIONS},
    {"role": "assistant", "content": "Thank you, I shall keep it in mind."},
    {"role": "user", "content": [{"type": "input_text", "text": HELLO}]},
)
WORDS = ("vorpal", "mimsy", "tulgey")
SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "boolean"}, "vx": {"type": "string", "enum": list(WORDS)}},
    "required": ["zq", "vx"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "name": "answer", "strict": True, "schema": SCHEMA}
NEEDED = ("id", "created_at", "model", "output")
EXPECTED = (
    *("object", "error", "incomplete_details", "instructions", "metadata", "parallel_tool_calls"),
    *("temperature", "tool_choice", "tools", "top_p"),
)
"""Required as well, yet clients do without them; five of them may be null."""

PLAIN = respond("resp_plain", "a line of a user", HELLO, cap=ROOM)
GIVEN_ITEMS = respond("resp_items", "three items: user, assistant, user", ITEMS, cap=CAP)
INSTRUCTED = respond("resp_instructions", "the line with instructions", HELLO, cap=CAP, instructions=INSTRUCTIONS)
CAPPED = post(
    "resp_cap",
    f"a long task with at most {CAP} tokens",
    "/responses",
    {
        "model": None,
        "input": "Tell me a very long story about a ship that sails around the whole world.",
        "max_output_tokens": CAP,
    },
    surface="resp",
)
HELD = respond(
    "resp_schema",
    "a question that invites prose, with a strict schema of odd keys",
    "What is the capital of France?",
    cap=ROOM,
    text={"format": FORMAT},
)
MISTAKEN = respond("resp_error_stream", "a stream of an input that is none", "", cap=CAP, stream=True, input={"a": 1})
REASONED = respond(
    "resp_reasoning", "the line with reasoning", HELLO, cap=256, reasoning={"effort": "low", "summary": "auto"}
)
COUNTED = post(
    "resp_input_tokens",
    "the line, to be counted",
    "/responses/input_tokens",
    {"model": None, "input": HELLO},
    surface="resp",
)


@probe(
    "resp.basic",
    title="Answers a response request",
    sees=(PLAIN, NO_POST),
    spec="OpenAPI: Response",
    faults={"resp_404": "rejected", "resp_chat_object": "broken", "resp_no_content": "broken"},
)
def basic(seen: Seen) -> Iterator[Check]:
    """A line gets object response, status completed and a message with an output_text."""
    capture = seen[PLAIN]
    yield from present(capture, seen[NO_POST])
    yield check("object", capture.at("object") == "response", "response", capture.at("object"))
    status = capture.at("status")
    yield check("status", status in ("completed", "incomplete"), "completed", status)
    if status == "incomplete" and not texts(capture.json):
        raise Untestable("headroom", "the output was cut before it said anything")
    yield check("output", bool(texts(capture.json)), "a message with an output_text", capture.at("output"))


@probe(
    "resp.input_items",
    title="Reads items as input",
    sees=(PLAIN, GIVEN_ITEMS),
    needs=("resp.basic",),
    spec="OpenAPI: InputParam, EasyInputMessage",
    faults={"resp_text_alone": "rejected", "resp_ignore_history": "partial"},
)
def input_items(seen: Seen) -> Iterator[Check]:
    """Items with roles, with text or parts as content, get 200, and all of them count as input tokens."""
    line, capture = read_tokens(seen[PLAIN]), seen[GIVEN_ITEMS]
    yield from accepted(capture)
    yield check("object", capture.at("object") == "response", "response", capture.at("object"))
    read = read_tokens(capture)
    if line and read:
        least = line + len(INSTRUCTIONS) // 8
        yield check("all items are counted", read >= least, f"at least {least}", read, must=False)


@probe(
    "resp.instructions",
    title="Instructions reach the model",
    sees=(PLAIN, INSTRUCTED),
    needs=("resp.basic",),
    spec="OpenAPI: CreateResponse.instructions",
    faults={"resp_ignore_instructions": "ignored", "resp_ignore_history": "ignored"},
)
def instructions(seen: Seen) -> Iterator[Check]:
    """With instructions, usage.input_tokens rises by at least an eighth of their characters."""
    before, capture = read_tokens(seen[PLAIN]), seen[INSTRUCTED]
    yield from accepted(capture)
    after = read_tokens(capture)
    if not before or not after:
        raise Untestable("evidence", "usage.input_tokens is missing or 0")
    least = before + len(INSTRUCTIONS) // 8
    if after <= before:
        raise Ignored("the input did not grow by the instructions", f"at least {least}", after)
    yield check("growth of input_tokens", after >= least, f"at least {least}", after, must=False)


@probe(
    "resp.usage",
    title="Counts tokens of a response",
    sees=(PLAIN,),
    needs=("resp.basic",),
    spec="OpenAPI: ResponseUsage",
    threads=("sgl-project/sglang#10012",),
    faults={
        "empty": "broken",
        "resp_no_usage": "broken",
        "resp_usage_total": "partial",
        "resp_chat_usage": "broken",
        "resp_no_details": "partial",
    },
)
def usage(seen: Seen) -> Iterator[Check]:
    """input_tokens and output_tokens are above 0, total_tokens is their sum, and both have details."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    read, written = (count(capture.at("usage", name)) or 0 for name in ("input_tokens", "output_tokens"))
    yield check("counts", bool(read and written), "input_tokens and output_tokens", capture.at("usage"))
    total = capture.at("usage", "total_tokens")
    yield check("total_tokens", total == read + written, read + written, total, must=False)
    for name, inner in (("input_tokens_details", "cached_tokens"), ("output_tokens_details", "reasoning_tokens")):
        given = capture.at("usage", name, inner)
        yield check(f"{name}.{inner}", count(given) is not None, "a number of tokens", given, must=False)


@probe(
    "resp.required",
    title="Sends every required field of a response",
    sees=(PLAIN,),
    severity="ext",
    needs=("resp.basic",),
    spec="OpenAPI: Response.required",
    faults={"resp_bare": "partial"},
)
def required(seen: Seen) -> Iterator[Check]:
    """All fourteen required fields are there; those that may be null may be null, but not missing."""
    capture = seen[PLAIN]
    yield from accepted(capture)
    body = capture.json if isinstance(capture.json, dict) else {}
    lacking = [name for name in NEEDED if body.get(name) is None]
    yield check("fields that clients read", not lacking, NEEDED, f"without {lacking}")
    created = body.get("created_at")
    stamp = isinstance(created, int | float) and not isinstance(created, bool)
    yield check("created_at", stamp, "seconds as a number", created)
    missing = [name for name in EXPECTED if name not in body]
    yield check("the other fields", not missing, EXPECTED, f"without {missing}", must=False)


@probe(
    "resp.max_output",
    title="Keeps the limit of a response",
    sees=(CAPPED,),
    ability="F",
    needs=("resp.basic",),
    spec="OpenAPI: CreateResponse.max_output_tokens, Response.incomplete_details",
    faults={"resp_ignore_cap": "ignored", "resp_completed_at_cap": "broken"},
)
def max_output(seen: Seen) -> Iterator[Check]:
    """A long task with max_output_tokens 16 ends incomplete, for the reason max_output_tokens."""
    capture = seen[CAPPED]
    yield from accepted(capture)
    spent, text = count(capture.at("usage", "output_tokens")), "".join(texts(capture.json))
    if spent is not None and spent > CAP + DRAFT_BLOCK:
        raise Ignored("more tokens than allowed", f"at most {CAP}", spent)
    if len(text) > (CAP + DRAFT_BLOCK) * CHARS_PER_TOKEN:
        raise Ignored("more text than that many tokens can hold", f"at most {CAP} tokens", text)
    status, why = capture.at("status"), capture.at("incomplete_details", "reason")
    if status == "completed" and spent is not None and spent < CAP:
        raise Untestable("model", f"it ended by itself after {spent} tokens")
    yield check("status", status == "incomplete", "incomplete", status)
    yield check("incomplete_details.reason", why == "max_output_tokens", "max_output_tokens", why, must=False)
    yield check("no token too many", spent is None or spent <= CAP, f"at most {CAP}", spent, must=False)


@probe(
    "resp.json_schema",
    title="Keeps a response to a JSON schema",
    sees=(HELD,),
    ability="F",
    needs=("resp.basic",),
    spec="OpenAPI: TextResponseFormatJsonSchema",
    threads=("lmstudio-ai/lmstudio-bug-tracker#2403",),
    faults={"empty": "ignored", "resp_ignore_format": "ignored", "resp_fence_json": "ignored"},
)
def json_schema(seen: Seen) -> Iterator[Check]:
    """With text.format and a strict schema of odd keys, a question that invites prose gets JSON that fits."""
    capture = seen[HELD]
    yield from accepted(capture)
    text = "".join(texts(capture.json)).strip()
    value = parse(text)
    if value is None and capture.at("status") == "incomplete" and (not text or text.startswith("{")):
        raise Untestable("headroom", "the output was cut before the JSON ended")
    if value is None:
        # Something that begins as JSON and does not parse was held to the schema and then damaged.
        yield check("the JSON is whole", not text.startswith("{"), "JSON", text)
        raise Ignored("answered in prose", "JSON that fits the schema", text)
    if not fits(value):
        raise Ignored("JSON, but not of the schema", "zq and vx alone", text)
    yield check("fits the schema", True, SCHEMA, text)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "resp.error_stream",
    title="Refuses a mistaken stream before it begins",
    sees=(MISTAKEN,),
    needs=("resp.basic",),
    basis="observed",
    spec="OpenAPI: CreateResponse.input; API guide: error codes",
    faults={"error_as_stream": "broken", **BAD_REFUSALS},
)
def error_stream(seen: Seen) -> Iterator[Check]:
    """An input that is neither text nor items gets 400 and the documented error body, also where a stream is asked."""
    capture = seen[MISTAKEN]
    inside = [chunk for chunk in capture.chunks if chunk.get("error") or chunk.get("type") == "error"]
    yield check("the status says it", capture.status != 200 or not inside, "400 as JSON", f"200 and {inside[:1]}")
    yield from refuses(capture, 400)


@probe(
    "resp.reasoning",
    title="Reasons when told to",
    sees=(PLAIN, REASONED),
    severity="ext",
    ability="C",
    needs=("resp.basic",),
    spec="OpenAPI: Reasoning, ReasoningItem",
    faults={"resp_ignore_reasoning": "ignored"},
)
def reasoning(seen: Seen) -> Iterator[Check]:
    """With an effort and a summary there is a reasoning item or there are reasoning tokens, or it is refused."""
    capture = seen[REASONED]
    yield from accepted(capture)
    thought = count(capture.at("usage", "output_tokens_details", "reasoning_tokens"))
    given = items(capture.json, "reasoning")
    if not given and not thought:
        raise Ignored("nothing says that it reasoned", "a reasoning item", capture.at("output"))
    shaped = all(isinstance(item.get("summary"), list) for item in given)
    yield check("summary", shaped, "an array", given, must=False)


@probe(
    "resp.input_tokens",
    title="Counts an input without answering it",
    sees=(PLAIN, COUNTED),
    severity="ext",
    needs=("resp.basic",),
    spec="OpenAPI: POST /responses/input_tokens",
    faults={"resp_no_count": "rejected", "resp_miscount": "partial"},
)
def input_tokens(seen: Seen) -> Iterator[Check]:
    """POST /responses/input_tokens says the input_tokens that usage says of the same input."""
    real, capture = read_tokens(seen[PLAIN]), seen[COUNTED]
    if capture.status in (404, 405, 501):
        raise Refused(capture)
    yield from accepted(capture)
    said = count(capture.at("input_tokens"))
    yield check("input_tokens", bool(said), "a number of tokens", capture.at("input_tokens"))
    if real is None:
        raise Untestable("evidence", "usage.input_tokens is missing or 0")
    yield check("as usage says", said == real, real, said, must=False)


def fits(value: Any) -> bool:
    """Whether a value is valid under SCHEMA."""
    if not isinstance(value, dict) or set(value) != {"zq", "vx"}:
        return False
    return isinstance(value["zq"], bool) and value["vx"] in WORDS


PROBES = (
    *(basic, input_items, instructions, usage, required, max_output),
    *(json_schema, error_stream, reasoning, input_tokens),
)
