"""JSON Schema following: 213 schemas, each to be answered with one value that fits it.

Example: ``{"items": {"anyOf": [{"type": "string"}, {"type": "number"}]}, "type": "array"}``, to which ``["a", 1]`` is a
right answer. The schema is sent as a strict ``response_format`` and stands in the question too, so that an endpoint
that enforces nothing can still be right; one that refuses the schema fails, which is counted apart from wrong answers.

Source: MoonshotAI/walle at commit 196bb0c, ``testdata/validator_cases``: what a constrained decoder must accept, in
folders by feature. Licence: MIT.

Known traps: many schemas are odd on purpose (recursion, escapes in names, names that are not ASCII, no object at the
top, which some services refuse), and small ones are met by ``{}`` or ``null``. In three the ``$id`` has a fragment,
which Draft 2020-12 forbids; it is sent, and left out where answers are judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.data import files_in, local_rows
from harness.errors import TaskError
from harness.scorers.json_schema import json_schema
from harness.types import JsonObject, Sample, Task

_FILE = "valid.jsonl"
_HINT = "--data FOLDER: the folder testdata/validator_cases of the repository MoonshotAI/walle at commit 196bb0c"
_INSTRUCTION = (
    "Give one example value that fits this JSON Schema. Keep it short. Answer with the JSON value alone, without a "
    "code fence and without an explanation."
)

_SAYS_WHAT = frozenset(("type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "not", "properties", "items"))
"""A row that is not empty and has none of these is no schema: any answer would be right."""


def load(data: Path | None) -> Iterator[Sample]:
    """The schemas by folder and line; data needs walle's folder, one of those in it, or a file of schemas."""
    for path in files_in(data, _FILE, "json_schema_following", _HINT):
        for number, schema in enumerate(local_rows(path), 1):
            if schema and not _SAYS_WHAT & schema.keys():
                raise TaskError(f"{path} row {number}: no JSON Schema. It has: {', '.join(schema)[:200]}", hint=_HINT)
            form = {"name": "example", "strict": True, "schema": schema}
            yield Sample(
                id=f"{path.parent.name}-{number:02d}",
                messages=({"role": "user", "content": f"{_INSTRUCTION}\n\n{json.dumps(schema, ensure_ascii=False)}"},),
                target=_judged(schema),
                params={
                    "temperature": 0,
                    "max_tokens": 1024,
                    "response_format": {"type": "json_schema", "json_schema": form},
                },
            )


def _judged(schema: JsonObject) -> JsonObject:
    """The schema as answers are held to it."""
    named = schema.get("$id")
    is_odd = isinstance(named, str) and "#" in named.removesuffix("#")
    return {key: value for key, value in schema.items() if key != "$id"} if is_odd else schema


TASK = Task(
    name="json_schema_following",
    version=1,
    kind="quality",
    description="One value that fits a JSON Schema, sent as a strict response format; odd schemas among them.",
    load=load,
    scorer=json_schema(),
    licence="MIT",
    source="local: MoonshotAI/walle@196bb0c",
)
