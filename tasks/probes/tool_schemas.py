"""Probes of what tools may take: schemas of many kinds, odd texts, no arguments at all, and other kinds of tools."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

from harness.conformance import (
    Check,
    Ignored,
    Probe,
    Scenario,
    Seen,
    Untestable,
    accepted,
    arguments_of,
    brief,
    called,
    calls_of,
    chat,
    check,
    dig,
    misfit,
    parse,
    probe,
    refuses,
)
from harness.conformance.plain import FORCED, OFF_TOPIC, PAINT_TOOL
from harness.types import JsonObject

PARAMETERS = "OpenAPI: FunctionParameters"


def demand(name: str, title: str, line: str, tool: JsonObject, cap: int = 96, **fields: Any) -> Scenario:
    """A chat with one tool that has to be called."""
    fields |= {"temperature": 0, "tools": [tool], "tool_choice": "required"}
    return chat(f"tools_{name}", title, line, cap=cap, surface="tools", visible=True, **fields)


def function(name: str, description: str, parameters: JsonObject | None, **more: Any) -> JsonObject:
    """The declaration of a function; without ``parameters`` it takes no arguments."""
    given = {"name": name, "description": description, **more}
    return {"type": "function", "function": given if parameters is None else {**given, "parameters": parameters}}


def closed(properties: JsonObject, **more: Any) -> JsonObject:
    """The schema of an object with these properties, all of them needed, and no others."""
    wanted = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {**wanted, **more}


# --- schemas ---------------------------------------------------------------------------------------------

ENUM = closed({"beast": {"type": "string", "enum": ["jubjub", "bandersnatch", "borogove"]}})
ANY_OF = closed({"room": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "enum": ["attic", "hall"]}]}})
REFS = closed(
    {"metal": {"$ref": "#/$defs/metal"}}, **{"$defs": {"metal": {"type": "string", "enum": ["brass", "copper", "tin"]}}}
)
TREE = closed(
    {"root": {"$ref": "#/$defs/node"}},
    **{
        "$defs": {
            "node": closed(
                {
                    "kind": {"type": "string", "enum": ["leaf", "branch"]},
                    "below": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
                }
            )
        }
    },
)
KINDS = (
    (
        "enum",
        "common",
        "an enum of odd words",
        ENUM,
        'Call the beast. I would call it "hippo".',
        ("An enum", "the argument is one of its three words"),
        (),
    ),
    (
        "any_of",
        "common",
        "a property that is a number or a word",
        ANY_OF,
        "Light the lamp in room 3.",
        ("A property with anyOf", "the argument is of one of its two kinds"),
        (),
    ),
    (
        "ref_defs",
        "common",
        "a property behind $ref",
        REFS,
        "Forge a ring of copper.",
        ("A property behind $ref", "the argument fits what stands in $defs"),
        ("ggml-org/llama.cpp#8073",),
    ),
    (
        "recursive",
        "ext",
        "a tree that refers to itself",
        TREE,
        "Plant a branch with one leaf.",
        ("A schema that refers to itself", "the argument is such a tree"),
        ("ggml-org/llama.cpp#16790",),
    ),
)


def fitting(
    id: str,  # noqa: A002 - the field's name
    severity: Any,
    title: str,
    schema: JsonObject,
    line: str,
    criterion: tuple[str, str],
    threads: tuple[str, ...],
) -> Probe:
    """The probe of one kind of schema."""
    scenario = demand(id, f"a demanded call with {title}", line, function("act", "Do what is asked.", schema))

    def judge(seen: Seen) -> Iterator[Check]:
        capture = seen[scenario]
        yield from called(capture)
        for call in calls_of(capture):
            problem = misfit(arguments_of(capture, call), schema)
            # Without strict it is asked of the model, and a client has to be ready for the worse.
            yield check("the arguments fit", not problem, "valid arguments", problem or "fits", must=False)

    judge.__doc__ = f"{criterion[0]} in the parameters of a tool is taken, and {criterion[1]}."
    return probe(
        f"tools.{id}",
        title=f"Takes {title} in a tool",
        sees=(scenario,),
        severity=severity,
        ability="F",
        needs=("tools.required",),
        spec=PARAMETERS,
        threads=threads,
    )(judge)


STRICT_SCHEMA = closed({"glossy": {"type": "boolean"}})
STRICT = demand(
    "strict",
    "a demanded call of a strict tool, with a plea for another key",
    'Paint it glossy, and also put the key "mood" into the arguments.',
    function("paint_wall", "Paint the wall.", STRICT_SCHEMA, strict=True),
)
TYPES = closed(
    {
        "seats": {"type": "integer"},
        "price": {"type": "number"},
        "window": {"type": "boolean"},
        "rows": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "train": closed({"number": {"type": "integer"}}),
    }
)
TYPED = demand(
    "arg_types",
    "a demanded call with numbers, a flag, a list and an object",
    "Book 3 seats for 12.5 in rows 4 and 5 of train 77, at the window.",
    function("book_seats", "Book seats on a train.", TYPES),
)
BAD_SCHEMA = demand(
    "bad_schema",
    "a tool whose parameters are of an unknown type",
    OFF_TOPIC,
    function("act", "Do it.", {"type": "zzz"}),
    cap=16,
)


@probe(
    "tools.strict",
    title="Keeps to a strict tool",
    sees=(STRICT,),
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: FunctionObject.strict",
)
def strict(seen: Seen) -> Iterator[Check]:
    """With strict the arguments are valid under the parameters, though the prompt begs for another key."""
    capture = seen[STRICT]
    yield from called(capture)
    for call in calls_of(capture):
        if problem := misfit(arguments_of(capture, call), STRICT_SCHEMA):
            raise Ignored("the arguments do not fit", "valid arguments", problem)
        yield check("the arguments fit", True, "valid arguments", call.arguments)  # noqa: FBT003 - as said


@probe(
    "tools.arg_types",
    title="Keeps the types of arguments",
    sees=(TYPED,),
    ability="E",
    needs=("tools.required",),
    spec=PARAMETERS,
    threads=("ggml-org/llama.cpp#22240",),
)
def arg_types(seen: Seen) -> Iterator[Check]:
    """Numbers, a flag, a list and an object are sent as what they are, not as strings."""
    capture = seen[TYPED]
    yield from called(capture)
    for call in calls_of(capture):
        given = arguments_of(capture, call)
        texts = [name for name in TYPES["properties"] if isinstance(given.get(name), str)]
        # A model gets one of them wrong; all of them are strings where the server's parser made them so.
        yield check("not all are strings", len(texts) < len(TYPES["properties"]), "JSON types", call.arguments)
        if problem := misfit(given, TYPES):
            raise Ignored("an argument is of another type", "valid arguments", problem)
        yield check("the types", True, "JSON types", call.arguments)  # noqa: FBT003 - as said


@probe(
    "tools.bad_schema",
    title="Refuses a tool whose schema is none",
    sees=(BAD_SCHEMA,),
    basis="observed",
    needs=("tools.accept",),
    spec=PARAMETERS,
)
def bad_schema(seen: Seen) -> Iterator[Check]:
    """Parameters of a type that does not exist are refused with 400 and the documented error body."""
    yield from refuses(seen[BAD_SCHEMA])


# --- texts -----------------------------------------------------------------------------------------------

CITY = "São Paulo 東京"
VERSE = 'first line\nsecond "quoted" line\\end'
NOTE = closed({"text": {"type": "string"}})
NOTE_TOOL = function("write_note", "Write a note down.", NOTE)
TEXTS = (
    ("unicode_args", "letters beyond ASCII", CITY, f"Write a note with exactly this text: “{CITY}”"),
    (
        "multiline_args",
        "a line break, quotes and a backslash",
        VERSE,
        f"Write a note with exactly this text: “{VERSE}”",
    ),
)


def verbatim(id: str, title: str, wanted: str, line: str) -> Probe:  # noqa: A002 - the field's name
    """The probe of a text that has to arrive as it was asked for."""
    scenario = demand(id, f"a demanded call with {title}", line, NOTE_TOOL)

    def judge(seen: Seen) -> Iterator[Check]:
        capture = seen[scenario]
        yield from called(capture)
        text = arguments_of(capture, calls_of(capture)[0]).get("text")
        yield check("the text is undamaged", not damaged(text, wanted), wanted, text)
        if not isinstance(text, str) or unicodedata.normalize("NFC", text).strip() != wanted:
            raise Untestable("model", f"it wrote another text: {brief(text, 60)}")
        yield check("the text is exact", text == wanted, wanted, text, must=False)

    judge.__doc__ = f"An argument with {title}, copied from the prompt, is exact once its JSON is read."
    return probe(
        f"tools.{id}",
        title=f"Sends arguments with {title}",
        sees=(scenario,),
        ability="E",
        needs=("tools.required",),
        spec="OpenAPI: ChatCompletionMessageToolCall.function.arguments; RFC 8259, 7",
    )(judge)


def damaged(text: object, wanted: str) -> bool:
    """Whether a text is what encoders and decoders make of another one: escaped twice, or of lost bytes."""
    if not isinstance(text, str):
        return False
    escaped = {json.dumps(wanted)[1:-1], json.dumps(wanted, ensure_ascii=False)[1:-1]}
    misread = wanted.encode().decode("latin-1")
    return (text in escaped or text == misread or "\ufffd" in text) and text != wanted


# --- no arguments, other kinds ---------------------------------------------------------------------------

BARE = demand("no_args", "a demanded call of a tool without parameters", OFF_TOPIC, function("wave", "Wave.", None))
FREE = demand(
    "custom",
    "a demanded call of a custom tool, which takes free text",
    "Write down the word “gyre”.",
    {"type": "custom", "custom": {"name": "write_down", "description": "Write a text down."}},
)
OLD = chat(
    "tools_legacy",
    "a function demanded in the older form, functions and function_call",
    OFF_TOPIC,
    cap=64,
    surface="tools",
    visible=True,
    temperature=0,
    functions=[PAINT_TOOL["function"]],
    function_call={"name": PAINT_TOOL["function"]["name"]},
)


def turned(value: Any) -> Any:
    """JSON with the keys of every object in the other order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


TURNED = demand("turned", "the same tool with its keys in another order", OFF_TOPIC, turned(PAINT_TOOL), cap=64)


@probe(
    "tools.no_args",
    title="Sends empty arguments as {}",
    sees=(BARE,),
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: FunctionObject.parameters",
    threads=("openai/openai-python#3502",),
)
def no_args(seen: Seen) -> Iterator[Check]:
    """A call of a tool without parameters has the arguments {}."""
    capture = seen[BARE]
    yield from called(capture)
    for call in calls_of(capture):
        empty = call.arguments == "" or call.value == {}
        if not empty and isinstance(call.value, dict):
            yield check("no arguments", False, "{}", call.arguments, must=False)  # noqa: FBT003 - it does not hold
            continue
        if not empty and capture.finish_reason == "length":
            raise Untestable("headroom", "the output was cut inside a call")
        yield check("the arguments are an object", empty, "{}", call.arguments)
        yield check("the arguments are {}", call.value == {}, "{}", call.arguments, must=False)


@probe(
    "tools.custom_type",
    title="Calls a custom tool",
    sees=(FREE,),
    severity="ext",
    ability="F",
    needs=("tools.required",),
    spec="OpenAPI: CustomToolChatCompletions",
)
def custom_type(seen: Seen) -> Iterator[Check]:
    """A demanded call of a custom tool has the type custom, the tool's name and its input as text."""
    capture = seen[FREE]
    yield from called(capture)
    call = dig(capture.message, "tool_calls", 0)
    yield check("type", dig(call, "type") == "custom", "custom", dig(call, "type"))
    name, given = dig(call, "custom", "name"), dig(call, "custom", "input")
    yield check("custom.name", name == "write_down", "write_down", name)
    yield check("custom.input", isinstance(given, str), "a string", given)


@probe(
    "tools.legacy_functions",
    title="Knows functions, the older form of tools",
    sees=(OLD,),
    severity="ext",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: CreateChatCompletionRequest.functions, .function_call (deprecated)",
)
def legacy_functions(seen: Seen) -> Iterator[Check]:
    """A function demanded by function_call is called by the message's function_call."""
    capture = seen[OLD]
    yield from accepted(capture)
    call = capture.message.get("function_call")
    if not call:
        raise Ignored("answered without a call", "function_call", capture.text or capture.message)
    name, given = dig(call, "name"), dig(call, "arguments")
    yield check("function_call.name", name == PAINT_TOOL["function"]["name"], "paint_wall", name)
    if capture.finish_reason == "length" and parse(str(given)) is None:
        raise Untestable("headroom", "the output was cut inside a call")
    yield check(
        "function_call.arguments", isinstance(given, str) and isinstance(parse(given), dict), "JSON text", given
    )


@probe(
    "tools.deterministic_counts",
    title="Counts a tool alike in any order of keys",
    sees=(FORCED, TURNED),
    severity="ext",
    basis="eco",
    needs=("tools.required",),
    spec="OpenAPI: CompletionUsage.prompt_tokens; RFC 8259, 4",
)
def deterministic_counts(seen: Seen) -> Iterator[Check]:
    """A tool whose keys stand in another order has the same prompt_tokens, give or take 2."""
    first, second = seen[FORCED], seen[TURNED]
    yield from accepted(first)
    yield from accepted(second)
    one, other = first.tokens("prompt_tokens"), second.tokens("prompt_tokens")
    if not one or not other:
        raise Untestable("evidence", "usage.prompt_tokens is missing or 0")
    yield check("prompt_tokens", abs(one - other) <= 2, f"{one}, give or take 2", other, must=False)


PROBES = (
    *(fitting(*kind) for kind in KINDS),
    strict,
    arg_types,
    bad_schema,
    *(verbatim(*text) for text in TEXTS),
    no_args,
    custom_type,
    legacy_functions,
    deterministic_counts,
)
