"""Probes of what tools may take: schemas of many kinds, and odd texts."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from harness.conformance import (
    BAD_REFUSALS,
    Capture,
    Check,
    Ignored,
    Probe,
    Seen,
    Untestable,
    accepted,
    arguments_of,
    brief,
    called,
    calls_of,
    check,
    leaks,
    misfit,
    probe,
    refuses,
)
from harness.conformance.plain import OFF_TOPIC, TREE, closed, demand
from harness.conformance.probe import Severity
from harness.types import JsonObject, VerdictWord

PARAMETERS = "OpenAPI: FunctionParameters"


def function(name: str, description: str, parameters: JsonObject, **more: Any) -> JsonObject:
    """The declaration of a function."""
    given = {"name": name, "description": description, "parameters": parameters, **more}
    return {"type": "function", "function": given}


# --- schemas ---------------------------------------------------------------------------------------------

ENUM = closed({"beast": {"type": "string", "enum": ["jubjub", "bandersnatch", "borogove"]}})
ANY_OF = closed({"room": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "enum": ["attic", "hall"]}]}})
REFS = closed(
    {"metal": {"$ref": "#/$defs/metal"}}, **{"$defs": {"metal": {"type": "string", "enum": ["brass", "copper", "tin"]}}}
)


class Kind(NamedTuple):
    """A kind of schema and the probe of it."""

    id: str
    title: str
    schema: JsonObject
    line: str
    criterion: str
    faults: Mapping[str, VerdictWord]
    severity: Severity = "common"
    threads: tuple[str, ...] = ()


NO_REFS: Mapping[str, VerdictWord] = {"reject_refs": "rejected", "ignore_refs": "partial"}
KINDS = (
    Kind(
        "enum",
        "an enum of odd words",
        ENUM,
        'Call the beast. I would call it "hippo".',
        "An enum in the parameters of a tool is taken, and the argument is one of its odd words.",
        {"ignore_enum": "partial"},
    ),
    Kind(
        "any_of",
        "a property that is a number or a word",
        ANY_OF,
        "Light the lamp in room 3.",
        "A property with anyOf in the parameters of a tool is taken, and the argument is of one of its two kinds.",
        {"reject_any_of": "rejected", "tool_arguments_text": "partial"},
    ),
    Kind(
        "ref_defs",
        "a property behind $ref",
        REFS,
        "Forge a ring of copper.",
        "A property behind $ref in the parameters of a tool is taken, and the argument fits what stands in $defs.",
        NO_REFS,
        threads=("ggml-org/llama.cpp#8073",),
    ),
    Kind(
        "recursive",
        "a tree that refers to itself",
        TREE,
        "Plant a branch with one leaf.",
        "A schema that refers to itself in the parameters of a tool is taken, and the argument is such a tree.",
        {**NO_REFS, "tool_arguments_text": "partial"},
        severity="ext",
        threads=("ggml-org/llama.cpp#16790",),
    ),
)


def fitting(kind: Kind) -> Probe:
    """The probe of one kind of schema."""
    tool = function("act", "Do what is asked.", kind.schema)
    scenario = demand(kind.id, f"a demanded call with {kind.title}", kind.line, tool)

    def judge(seen: Seen) -> Iterator[Check]:
        capture = seen[scenario]
        yield from called(capture)
        for call in calls_of(capture):
            problem = misfit(arguments_of(capture, call), kind.schema)
            # Without strict it is asked of the model, and a client has to be ready for the worse.
            yield check("the arguments fit", not problem, "valid arguments", problem or "fits", must=False)

    judge.__doc__ = kind.criterion
    return probe(
        f"tools.{kind.id}",
        title=f"Takes {kind.title} in a tool",
        sees=(scenario,),
        severity=kind.severity,
        ability="F",
        needs=("tools.required",),
        spec=PARAMETERS,
        threads=kind.threads,
        faults={**kind.faults, "tool_arguments_misfit": "partial"},
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
    faults={"ignore_additional": "ignored", "tool_arguments_misfit": "ignored", "tool_arguments_text": "ignored"},
)
def strict(seen: Seen) -> Iterator[Check]:
    """With strict the arguments are valid under the parameters, though the prompt begs for another key."""
    capture = seen[STRICT]
    yield from called(capture)
    for call in calls_of(capture):
        if problem := misfit(arguments_of(capture, call), STRICT_SCHEMA):
            raise Ignored("the arguments do not fit", "valid arguments", problem)
        yield check("the arguments fit", True, "valid arguments", call.arguments)  # noqa: FBT003 - as said


def willing(capture: Capture) -> Iterator[Check]:
    """Checks that there is a call; where there is none, it is the model that did not want what these probes ask for."""
    yield from accepted(capture)
    if not calls_of(capture) and not leaks(capture):
        raise Untestable("model", f"it called nothing: {brief(capture.text, 60)}")
    yield from called(capture)


@probe(
    "tools.arg_types",
    title="Keeps the types of arguments",
    sees=(TYPED,),
    ability="E",
    needs=("tools.required",),
    spec=PARAMETERS,
    threads=("ggml-org/llama.cpp#22240",),
    faults={"tool_arguments_misfit": "ignored", "tool_arguments_text": "broken"},
)
def arg_types(seen: Seen) -> Iterator[Check]:
    """Numbers, a flag, a list and an object are sent as what they are, not as strings."""
    capture = seen[TYPED]
    yield from willing(capture)
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
    faults={**BAD_REFUSALS, "ignore_tools": "ignored", "ignore_bad_schema": "ignored"},
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
        yield from willing(capture)
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
        faults={"tool_arguments_escaped": "broken"},
    )(judge)


def damaged(text: object, wanted: str) -> bool:
    """Whether a text is what encoders and decoders make of another one: escaped twice, or of lost bytes."""
    if not isinstance(text, str):
        return False
    escaped = {json.dumps(wanted)[1:-1], json.dumps(wanted, ensure_ascii=False)[1:-1]}
    misread = wanted.encode().decode("latin-1")
    return (text in escaped or text == misread or "\ufffd" in text) and text != wanted


PROBES = (
    *(fitting(kind) for kind in KINDS),
    strict,
    arg_types,
    bad_schema,
    *(verbatim(*text) for text in TEXTS),
)
