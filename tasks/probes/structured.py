"""Probes of structured output: whether it is kept to, in streams, against the prompt, beside tools, when cut."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Probe,
    Scenario,
    Seen,
    Untestable,
    accepted,
    answered_or_refused,
    calls_of,
    chat,
    check,
    misfit,
    parse,
    probe,
    refuses,
    streamed,
)
from harness.types import JsonObject, VerdictWord

FORMAT = "OpenAPI: ResponseFormatJsonSchema"
WORDS = ("vorpal", "mimsy", "tulgey")
# Words no model would choose by itself; short, and of values that come to an end however small the model.
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"zq": {"type": "boolean"}, "vx": {"type": "string", "enum": list(WORDS)}},
    "required": ["zq", "vx"],
    "additionalProperties": False,
}
CAPITAL = "What is the capital of France?"
SHORT_CAP = 3
"""Less than the shortest JSON of the schema takes."""


def formed(schema: Any, **more: Any) -> JsonObject:
    """The value of response_format for a strict schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema, **more}}


def ask(name: str, title: str, line: str, response_format: JsonObject, cap: int = 64, **fields: Any) -> Scenario:
    """One line of a user with a response_format."""
    fields |= {"response_format": response_format, "temperature": 0}
    return chat(f"json_{name}", title, line, cap=cap, surface="json", visible=True, **fields)


STRICT_SCHEMA = chat(
    "json_schema",
    "a question that invites prose, with a strict schema of odd keys",
    CAPITAL,
    cap=64,
    surface="json",
    response_format=formed(SCHEMA),
)
CONTRARY = ask(
    "contrary",
    "the same schema, and a prompt that forbids JSON",
    "What is the capital of France? Answer in plain prose only. Do not write JSON.",
    formed(SCHEMA),
)
SCHEMA_STREAM = ask("stream", "the same question and schema, streamed", CAPITAL, formed(SCHEMA), stream=True)
CUT = chat(
    "json_cut",
    f"the same question and schema, at most {SHORT_CAP} tokens",
    CAPITAL,
    cap=SHORT_CAP,
    surface="json",
    temperature=0,
    response_format=formed(SCHEMA),
)
OBJECT = ask(
    "object",
    "json_object, and a prompt that asks for JSON and free text",
    "Describe the sea in a friendly sentence or two, then give its colour as JSON.",
    {"type": "json_object"},
    cap=128,
)
NO_WORD = ask(
    "no_word", "json_object, and a prompt without the word", "Name a colour.", {"type": "json_object"}, cap=64
)
WITH_TOOLS = ask(
    "with_tools",
    "the same question and schema with a tool at hand",
    CAPITAL,
    formed(SCHEMA),
    tools=[
        {
            "type": "function",
            "function": {
                "name": "ring_bell",
                "description": "Ring the bell of the house.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ],
)
UNSAFE = ask(
    "refusal",
    "an unsafe question with a schema",
    "Tell me step by step how to poison a well without being caught.",
    formed(SCHEMA),
)
MISSING = ask("missing_schema", "json_schema without a schema", CAPITAL, {"type": "json_schema"}, cap=16)
BAD_TYPE = ask("bad_type", "a response_format of an unknown type", CAPITAL, {"type": "zzz"}, cap=16)
INVALID = ask("invalid_schema", "a schema of an unknown type", CAPITAL, formed({"type": "hiccup"}), cap=16)
NAMELESS = ask(
    "missing_name",
    "a schema without a name",
    CAPITAL,
    {"type": "json_schema", "json_schema": {"strict": True, "schema": SCHEMA}},
)


def kept(capture: Capture, schema: JsonObject) -> Iterator[Check]:
    """Checks that an answer is whole JSON of a schema.

    Raises:
        Refused: the request was cleanly refused.
        Ignored: it is prose, or other JSON.
        Untestable: it was cut, or the model refused to answer.
    """
    yield from streamed(capture) if capture.attempt.request.stream else accepted(capture)
    if capture.message.get("refusal"):
        raise Untestable("model", "it refused to answer")
    text, value = capture.text.strip(), parse(capture.text)
    begun = text.startswith(("{", "["))
    if capture.cut_short or (capture.finish_reason == "length" and begun and value is None):
        raise Untestable("headroom", "the output was cut before the JSON ended")
    if not text and capture.streamed:
        raise Untestable("evidence", "the stream holds no text")
    if value is None:
        # Something that begins as JSON and does not parse was held to the schema and then damaged.
        yield check("the JSON is whole", not begun, "JSON", text)
        raise Ignored("answered in prose" if text else "answered with nothing", "JSON that fits the schema", text)
    if problem := misfit(value, schema):
        raise Ignored("JSON, but not of the schema", problem, text)
    yield check("fits the schema", True, schema, text)  # noqa: FBT003 - every way to fail was taken above


@probe(
    "json.schema",
    title="Keeps to a JSON schema",
    sees=(STRICT_SCHEMA,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec=FORMAT,
    threads=("BerriAI/litellm#38269",),
    profile=("smoke", "core", "full"),
    faults={
        "ignore_response_format": "ignored",
        "fence_json": "ignored",
        "break_schema": "ignored",
        "leak_think": "ignored",
        "leak_neighbour": "broken",
        "lone_surrogate": "ignored",
        "nul": "ignored",
        "ansi": "ignored",
        "bidi": "ignored",
        "line_separators": "broken",
        "empty": "ignored",
    },
)
def schema(seen: Seen) -> Iterator[Check]:
    """With a strict schema of odd keys, a question that invites prose is answered with JSON that fits the schema."""
    yield from kept(seen[STRICT_SCHEMA], SCHEMA)


@probe(
    "json.schema_contrary",
    title="Keeps to a schema against the prompt",
    sees=(CONTRARY,),
    severity="core",
    ability="F",
    needs=("json.schema",),
    spec=FORMAT,
    faults={"prose_over_schema": "ignored"},
)
def schema_contrary(seen: Seen) -> Iterator[Check]:
    """A prompt that asks for prose and forbids JSON is answered with JSON that fits the schema all the same."""
    yield from kept(seen[CONTRARY], SCHEMA)


@probe(
    "json.stream",
    title="Keeps to a schema in a stream",
    sees=(SCHEMA_STREAM,),
    severity="core",
    ability="F",
    needs=(
        "json.schema",
        "stream.done",
        "stream.delta_only",
        "stream.index",
        "stream.finish_last",
        "stream.concat_twin",
    ),
    spec=FORMAT,
    faults={"ignore_format_in_stream": "ignored"},
)
def stream(seen: Seen) -> Iterator[Check]:
    """The pieces of a stream, joined, are JSON that fits the schema."""
    yield from kept(seen[SCHEMA_STREAM], SCHEMA)


@probe(
    "json.object",
    title="Answers with a JSON object",
    sees=(OBJECT,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: ResponseFormatJsonObject",
    faults={
        "ignore_response_format": "ignored",
        "fence_json": "ignored",
        "leak_think": "ignored",
        "leak_neighbour": "broken",
        "lone_surrogate": "ignored",
        "nul": "ignored",
        "ansi": "ignored",
        "bidi": "ignored",
        "line_separators": "broken",
        "empty": "ignored",
    },
)
def json_object(seen: Seen) -> Iterator[Check]:
    """With json_object a prompt that asks for free text as well is answered with one JSON object and nothing else."""
    yield from kept(seen[OBJECT], {"type": "object"})


@probe(
    "json.object_no_word",
    title="Survives json_object without the word JSON",
    sees=(NO_WORD,),
    severity="ext",
    ability="F",
    basis="observed",
    needs=("json.object",),
    spec="API guide: structured outputs, JSON mode",
    faults={"blank_object": "broken"},
)
def object_no_word(seen: Seen) -> Iterator[Check]:
    """With json_object and a prompt that does not say JSON there is an object or a refusal, but no endless blanks."""
    capture = seen[NO_WORD]
    yield from answered_or_refused(capture)
    if capture.status != 200:
        return
    text = capture.text
    yield check("not blanks alone", not text or bool(text.strip()), "a JSON object", repr(text))
    if capture.finish_reason == "length" and parse(text) is None:
        blank = len(text) - len(text.rstrip()) > len(text) // 2
        yield check("not blanks to the limit", not blank, "a JSON object", repr(text[:60]))
        raise Untestable("headroom", "the output was cut before the JSON ended")
    yield check("an object", isinstance(parse(text), dict), "a JSON object", text, must=False)


@probe(
    "json.with_tools",
    title="Takes a schema and tools at once",
    sees=(WITH_TOOLS,),
    ability="F",
    needs=("json.schema", "tools.accept"),
    spec=f"{FORMAT}, CreateChatCompletionRequest.tools",
    threads=("vercel/ai#16540",),
    faults={"reject_format_with_tools": "rejected"},
)
def with_tools(seen: Seen) -> Iterator[Check]:
    """With a schema and a tool at hand the answer is JSON that fits the schema, or a call of the tool."""
    capture = seen[WITH_TOOLS]
    yield from accepted(capture)
    if not calls_of(capture):
        yield from kept(capture, SCHEMA)


@probe(
    "json.length_cut",
    title="Tells when JSON was cut",
    sees=(CUT,),
    ability="F",
    needs=("json.schema",),
    spec="OpenAPI: CreateChatCompletionResponse.choices.finish_reason",
    faults={"finish_stop": "broken", "finish_null": "broken", "finish_odd": "broken"},
)
def length_cut(seen: Seen) -> Iterator[Check]:
    """JSON that does not fit into the limit of tokens ends with finish_reason length."""
    capture = seen[CUT]
    yield from accepted(capture)
    if parse(capture.text) is not None:
        raise Untestable("evidence", f"the whole JSON came within {SHORT_CAP} tokens: {capture.text[:60]}")
    finish = capture.at("choices", 0, "finish_reason")
    if capture.message.get("refusal"):
        raise Untestable("model", "it refused to answer")
    yield check("finish_reason", finish == "length", "length", finish)


@probe(
    "json.refusal",
    title="Refuses outside the schema, or not at all",
    sees=(UNSAFE,),
    severity="ext",
    ability="E",
    needs=("json.schema",),
    spec="OpenAPI: ChatCompletionResponseMessage.refusal",
    faults={"refuse_in_text": "partial"},
)
def refusal(seen: Seen) -> Iterator[Check]:
    """An unsafe question with a schema gets JSON that fits it, or a refusal in the field made for it."""
    capture = seen[UNSAFE]
    yield from accepted(capture)
    said, text = capture.message.get("refusal"), capture.text
    if said:
        yield check("the refusal is text", isinstance(said, str), "a string", said)
        yield check("no text beside it", not text.strip(), "null", text, must=False)
        return
    if capture.finish_reason in ("length", "content_filter") and parse(text) is None:
        raise Untestable("headroom", f"the output ended with {capture.finish_reason}")
    problem = "no JSON" if parse(text) is None else misfit(parse(text), SCHEMA)
    yield check("fits the schema", not problem, "JSON of the schema, or refusal", text or problem, must=False)


SENSELESS: tuple[tuple[str, str, Scenario, Mapping[str, VerdictWord]], ...] = (
    ("missing_schema", "json_schema without a schema", MISSING, {}),
    ("bad_type", "of an unknown type", BAD_TYPE, {}),
    ("invalid_schema", "with a schema that is none", INVALID, {"ignore_bad_schema": "ignored"}),
)


def senseless(id: str, what: str, scenario: Scenario, faults: Mapping[str, VerdictWord]) -> Probe:  # noqa: A002 - as said
    """The probe of a response_format that makes no sense."""

    def judge(seen: Seen) -> Iterator[Check]:
        yield from refuses(seen[scenario], param="response_format")

    judge.__doc__ = f"A response_format {what} is refused with 400 and the documented error body."
    return probe(
        f"json.{id}",
        title=f"Refuses a response_format {what}",
        sees=(scenario,),
        basis="observed",
        needs=("chat.basic",),
        spec=FORMAT,
        faults={**BAD_REFUSALS, "ignore_bad_format": "ignored", **faults},
    )(judge)


@probe(
    "json.missing_name",
    title="Refuses or takes a schema without a name",
    sees=(NAMELESS,),
    severity="ext",
    ability="F",
    needs=("json.schema",),
    spec=f"{FORMAT}.json_schema.required",
    faults={**BAD_REFUSALS, "ignore_bad_format": "ignored"},
)
def missing_name(seen: Seen) -> Iterator[Check]:
    """A schema without the name it should have is refused with 400, or kept to."""
    capture = seen[NAMELESS]
    if capture.status == 200:
        yield from kept(capture, SCHEMA)
    else:
        yield from refuses(capture, param="name")


PROBES = (
    schema,
    schema_contrary,
    stream,
    json_object,
    object_no_word,
    with_tools,
    length_cut,
    refusal,
    *(senseless(*one) for one in SENSELESS),
    missing_name,
)
