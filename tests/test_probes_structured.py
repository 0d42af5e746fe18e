"""The probes of structured output on transcripts: what no fault of the simulator shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transcripts import Reply, chunk, completion, error, events, judged

from harness.catalog import discover
from harness.conformance import misfit

PROBES = discover([Path(__file__).parents[1] / "tasks" / "probes"]).probes
FITTING = '{"zq": true, "vx": "mimsy"}'
CALL = {"id": "call_1", "type": "function", "function": {"name": "ring_bell", "arguments": "{}"}}


def said(text: str | None, **fields: Any) -> Reply:
    """An answer with this text."""
    return Reply(completion(text, **fields))


def streamed(*pieces: str, finish: str = "stop") -> Reply:
    """A stream of these pieces of text."""
    return events(*(chunk({"content": piece}) for piece in pieces), chunk({}, finish=finish), "[DONE]")


CUT = said('{"zq": tr', finish="length")
REFUSED = said(None, refusal="I will not.")
CASES: tuple[tuple[str, str, dict[str, Reply], str, str], ...] = (
    ("json.schema_contrary", "obeys the prompt", {"json_contrary": said("Paris.")}, "ignored", "prose"),
    ("json.schema_contrary", "cut", {"json_contrary": CUT}, "untestable", "headroom"),
    ("json.schema_contrary", "refused by the model", {"json_contrary": REFUSED}, "untestable", "model"),
    ("json.object", "an array", {"json_object": said("[1]")}, "ignored", "not of the schema"),
    ("json.object", "only schemas", {"json_object": error("only json_schema")}, "rejected", "only json_schema"),
    ("json.object", "torn", {"json_object": said('{"colour": "bl')}, "broken", "whole"),
    ("json.object", "cut", {"json_object": CUT}, "untestable", "headroom"),
    (
        "json.stream",
        "fits",
        {"json_stream": streamed('{"zq": true,', ' "vx": "mimsy"}')},
        "supported",
        "",
    ),
    (
        "json.stream",
        "a piece lost",
        {"json_stream": streamed('{"zq": true, "mimsy"}')},
        "broken",
        "whole",
    ),
    ("json.stream", "no text", {"json_stream": streamed()}, "untestable", "evidence"),
    ("json.stream", "one piece", {"json_stream": said(FITTING)}, "ignored", "one piece"),
    ("json.object_no_word", "refused, as by the original", {"json_no_word": error("say JSON")}, "supported", ""),
    (
        "json.object_no_word",
        "blanks to the limit",
        {"json_no_word": said("{" + "\n" * 60, finish="length")},
        "broken",
        "blanks",
    ),
    ("json.object_no_word", "cut", {"json_no_word": CUT}, "untestable", "headroom"),
    ("json.object_no_word", "prose", {"json_no_word": said("Blue.")}, "partial", "an object"),
    ("json.with_tools", "calls", {"json_with_tools": Reply(completion(None, tool_calls=[CALL]))}, "supported", ""),
    ("json.with_tools", "prose", {"json_with_tools": said("Paris.")}, "ignored", "prose"),
    ("json.length_cut", "the whole came", {"json_cut": said(FITTING)}, "untestable", "evidence"),
    ("json.length_cut", "thinks", {"json_cut": said("", finish="length")}, "supported", ""),
    ("json.length_cut", "says stop", {"json_cut": said('{"zq"', finish="stop")}, "broken", "length"),
    ("json.refusal", "in its field", {"json_refusal": REFUSED}, "supported", ""),
    ("json.refusal", "filtered", {"json_refusal": said("", finish="content_filter")}, "untestable", "headroom"),
    ("json.refusal", "half", {"json_refusal": said('{"zq": true')}, "partial", "fits"),
    ("json.missing_schema", "crash", {"json_missing_schema": error("oops", 500)}, "broken", "500"),
    ("json.missing_schema", "busy", {"json_missing_schema": error("busy", 503)}, "untestable", "transient"),
    ("json.missing_name", "kept to", {"json_missing_name": said(FITTING)}, "supported", ""),
    ("json.nested", "refused", {"json_nested": error("too deep")}, "rejected", "too deep"),
    ("json.nested", "cut", {"json_nested": CUT}, "untestable", "headroom"),
    ("json.enum", "refused by the model", {"json_enum": REFUSED}, "untestable", "model"),
    ("json.key_order", "no object", {"json_keys": said("[1]")}, "broken", "an object"),
    ("json.key_order", "a key missing", {"json_keys": said('{"willow": true, "thorn": true}')}, "supported", ""),
    ("json.top_array", "refused, as by the original", {"json_top_array": error("object wanted")}, "supported", ""),
    ("json.top_array", "numbers", {"json_top_array": said("[1, 0]")}, "ignored", "not of the schema"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_verdict(case: tuple[str, str, dict[str, Reply], str, str]) -> None:
    """A probe makes of each transcript what its criterion says, and tells why."""
    name, _, replies, verdict, says = case
    found = judged(PROBES[name], replies)
    assert found.verdict == verdict, found
    assert says in " ".join((found.reason, found.expected, found.actual))


def test_a_misfit_is_named() -> None:
    """What does not fit a schema is told with its place; what fits is told by nothing."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert misfit({"a": 1}, schema) == ""
    assert misfit({"a": "1"}, schema) == "'1' is not of type 'integer' at $.a"
