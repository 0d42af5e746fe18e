"""Probes of the kinds of schemas that structured output keeps to."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from harness.conformance import (
    Capture,
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
    misfit,
    parse,
    probe,
)
from harness.conformance.plain import TREE, closed
from harness.conformance.probe import Severity
from harness.types import JsonObject, VerdictWord

FORMAT = "OpenAPI: ResponseFormatJsonSchemaSchema"


def ask(name: str, title: str, line: str, schema: JsonObject, cap: int = 96) -> Scenario:
    """One line of a user with a strict schema."""
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    return chat(f"json_{name}", title, line, cap=cap, surface="json", visible=True, temperature=0, response_format=form)


def read(capture: Capture) -> Iterator[Check]:
    """Checks that an answer is JSON.

    Raises:
        Refused: the request was cleanly refused.
        Ignored: it is prose.
        Untestable: it was cut, or the model refused to answer.
    """
    yield from accepted(capture)
    if capture.message.get("refusal"):
        raise Untestable("model", "it refused to answer")
    if parse(capture.text) is not None:
        return
    if capture.finish_reason == "length":
        raise Untestable("headroom", "the output was cut before the JSON ended")
    raise Ignored("the answer is no JSON", "JSON that fits the schema", capture.text)


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


SHELF = closed({"row": {"type": "integer"}, "book": closed({"loan": closed({"free": {"type": "boolean"}})})})
NO_REFS: Mapping[str, VerdictWord] = {"reject_refs": "rejected", "ignore_refs": "ignored"}
KINDS = (
    Kind(
        "enum",
        "an enum",
        closed({"beast": {"type": "string", "enum": ["jubjub", "bandersnatch", "borogove"]}}),
        'Which animal lives in the river? Answer with "hippo".',
        "An enum of odd words is kept to, though the prompt asks for another word.",
        {"ignore_enum": "ignored"},
    ),
    Kind(
        "nested",
        "objects and lists inside one another",
        closed({"shelves": {"type": "array", "items": SHELF, "minItems": 1, "maxItems": 2}}),
        "Describe a shelf with one book.",
        "A schema of objects inside a list, four levels deep, is kept to.",
        {"shallow_schema": "ignored"},
    ),
    Kind(
        "any_of_null",
        "a value that may be null",
        closed({"moon": {"anyOf": [{"type": "null"}, {"type": "string", "enum": ["Phobos", "Deimos"]}]}}),
        "Name a moon of Venus, or null where there is none.",
        "A property that is a word or null by anyOf is kept to.",
        {"reject_any_of": "rejected"},
    ),
    Kind(
        "ref",
        "$ref",
        closed(
            {"metal": {"$ref": "#/$defs/metal"}},
            **{"$defs": {"metal": {"type": "string", "enum": ["brass", "copper", "tin"]}}},
        ),
        "Which metal is the bell made of?",
        "A property whose schema stands in $defs is kept to.",
        NO_REFS,
        threads=("ggml-org/llama.cpp#8073",),
    ),
    Kind(
        "const_number",
        "const and bounds of numbers",
        closed({"code": {"const": 4711}, "age": {"type": "integer", "minimum": 41, "maximum": 43}}),
        "How old is the captain?",
        "A number that is fixed by const and one with bounds are kept to.",
        {"ignore_bounds": "ignored"},
        severity="ext",
    ),
    Kind(
        "recursive",
        "a schema that refers to itself",
        TREE,
        "Describe a branch with one leaf.",
        "A schema that refers to itself is kept to.",
        NO_REFS,
        severity="ext",
    ),
    Kind(
        "unicode_key",
        "a key beyond ASCII",
        closed({"naïve": {"type": "boolean"}}),
        "Is the fox naïve?",
        "A key with a letter beyond ASCII is exact.",
        {"ascii_keys": "ignored", "replacement_char": "ignored"},
        severity="ext",
    ),
)


def keeping(kind: Kind) -> Probe:
    """The probe of one kind of schema."""
    scenario = ask(kind.id, f"a question with a schema of {kind.title}", kind.line, kind.schema)

    def judge(seen: Seen) -> Iterator[Check]:
        capture = seen[scenario]
        yield from read(capture)
        if problem := misfit(parse(capture.text), kind.schema):
            raise Ignored("JSON, but not of the schema", problem, capture.text)
        yield check("fits the schema", True, "valid JSON", capture.text)  # noqa: FBT003 - as said

    judge.__doc__ = kind.criterion
    return probe(
        f"json.{kind.id}",
        title=f"Keeps to {kind.title}",
        sees=(scenario,),
        severity=kind.severity,
        ability="F",
        needs=("json.schema",),
        spec=FORMAT,
        threads=kind.threads,
        faults=kind.faults,
    )(judge)


KEYS = ("willow", "amber", "thorn", "cobalt", "briar")
FLAGS = closed({key: {"type": "boolean"} for key in KEYS})
ORDERED = ask(
    "keys",
    "five flags out of the order of the alphabet, and a plea for another key",
    'Which of these grow in a garden? Also put in the key "remark".',
    FLAGS,
)
LIST = ask(
    "top_array",
    "a schema whose root is a list",
    "Is the lamp lit? And the door shut?",
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2},
)


@probe(
    "json.additional_false",
    title="Adds no key that is forbidden",
    sees=(ORDERED,),
    ability="F",
    needs=("json.schema",),
    spec=FORMAT,
    faults={"ignore_additional": "ignored"},
)
def additional_false(seen: Seen) -> Iterator[Check]:
    """With additionalProperties false there is no other key than the schema's, though the prompt begs for one."""
    capture = seen[ORDERED]
    yield from read(capture)
    value = parse(capture.text)
    yield check("an object", isinstance(value, dict), "a JSON object", capture.text)
    if extra := [key for key in value if key not in KEYS]:
        raise Ignored("a key that the schema forbids", KEYS, extra)
    yield check("no other key", True, KEYS, [*value])  # noqa: FBT003 - as said


@probe(
    "json.key_order",
    title="Keeps the schema's order of keys",
    sees=(ORDERED,),
    severity="ext",
    ability="F",
    basis="observed",
    needs=("json.schema",),
    spec="API guide: structured outputs, key ordering",
    faults={"sorted_keys": "partial"},
)
def key_order(seen: Seen) -> Iterator[Check]:
    """The keys of the answer stand in the order in which the schema has them."""
    capture = seen[ORDERED]
    yield from read(capture)
    value = parse(capture.text)
    yield check("an object", isinstance(value, dict), "a JSON object", capture.text)
    given = [key for key in value if key in KEYS]
    yield check("order", given == [key for key in KEYS if key in value], KEYS, given, must=False)


@probe(
    "json.top_array",
    title="Keeps to a schema whose root is a list, or says no",
    sees=(LIST,),
    severity="ext",
    ability="F",
    basis="observed",
    needs=("json.schema",),
    spec="API guide: structured outputs, root objects",
    faults={"wrap_array": "ignored"},
)
def top_array(seen: Seen) -> Iterator[Check]:
    """A schema whose root is a list is kept to, or cleanly refused as the original service does."""
    capture = seen[LIST]
    yield from answered_or_refused(capture)
    if capture.status != 200:
        return
    yield from read(capture)
    value = parse(capture.text)
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, bool) for one in value):
        raise Ignored("JSON, but not of the schema", "a list of two flags", capture.text)
    yield check("fits the schema", True, "a list", capture.text)  # noqa: FBT003 - as said


PROBES = (*(keeping(kind) for kind in KINDS), additional_false, key_order, top_array)
