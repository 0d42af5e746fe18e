"""Probes of structured output."""

from collections.abc import Iterator
from typing import Any

from harness.conformance import Check, Ignored, Seen, Untestable, accepted, chat, check, parse, probe

WORDS = ("vorpal", "mimsy", "tulgey")
# Words no model would choose by itself; short, and of values that come to an end however small the model.
SCHEMA = {
    "type": "object",
    "properties": {"zq": {"type": "boolean"}, "vx": {"type": "string", "enum": list(WORDS)}},
    "required": ["zq", "vx"],
    "additionalProperties": False,
}
STRICT_SCHEMA = chat(
    "json_schema",
    "a question that invites prose, with a strict schema of odd keys",
    "What is the capital of France?",
    cap=64,
    surface="json",
    response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}},
)


@probe(
    "json.schema",
    title="Keeps to a JSON schema",
    sees=(STRICT_SCHEMA,),
    severity="core",
    ability="F",
    needs=("chat.basic",),
    spec="OpenAPI: ResponseFormatJsonSchema",
    profile=("smoke", "core", "full"),
)
def schema(seen: Seen) -> Iterator[Check]:
    """With a strict schema of odd keys, a question that invites prose is answered with JSON that fits the schema."""
    capture = seen[STRICT_SCHEMA]
    yield from accepted(capture)
    if capture.message.get("refusal"):
        raise Untestable("model", "it refused to answer")
    text, value = capture.text.strip(), parse(capture.text)
    begun = text.startswith("{")
    if capture.cut_short or (capture.finish_reason == "length" and begun and value is None):
        raise Untestable("headroom", "the output was cut before the JSON ended")
    if value is None:
        # Something that begins as JSON and does not parse was held to the schema and then damaged.
        yield check("the JSON is whole", not begun, "JSON", text)
        raise Ignored("answered in prose", "JSON that fits the schema", text)
    if not fits(value):
        raise Ignored("JSON, but not of the schema", "zq and vx alone", text)
    yield check("fits the schema", True, SCHEMA, text)  # noqa: FBT003 - every way to fail was taken above


def fits(value: Any) -> bool:
    """Whether a value is valid under SCHEMA."""
    if not isinstance(value, dict) or set(value) != {"zq", "vx"}:
        return False
    return isinstance(value["zq"], bool) and value["vx"] in WORDS


PROBES = (schema,)
