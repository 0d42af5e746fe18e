"""Extraction: 20 sentences of which one to four fields are to be given as one JSON object, written for this project.

The target is a JSON Schema that accepts just the right values, in the wordings that are as good as one another, and
one code fence around the object is forgiven. No ``response_format`` is sent, so what is measured is the model and not
the server's grammar. Known trap: names of fields count, and so does 12 not being "12".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.errors import TaskError
from harness.scorers.json_schema import json_schema
from harness.types import JsonObject, Sample, Task

DATA = Path(__file__).parents[1] / "data" / "extraction.jsonl"
SHA256 = "c02e5b6bbaa91fba72f3f8d91aa70368321f1929e4b619952d9d29bf71183e3b"
COLUMNS = ("text", "fields", "answer")


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs text, and the objects fields and answer by field name."""
    rows = local_rows(data, COLUMNS) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        fields, answer = row["fields"], row["answer"]
        if not isinstance(fields, dict) or not isinstance(answer, dict) or set(fields) != set(answer):
            raise TaskError(f"extraction row {number}: fields and answer must be objects with the same names")
        listed = "\n".join(f"- {name}: {kind}" for name, kind in fields.items())
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": f"{_ASK}\n{listed}\n\nText: {row['text']}"},),
            target=_schema(answer, row.get("also") or {}),
            params={"temperature": 0, "max_tokens": 96},
            metadata={"answer_text": json.dumps(answer, ensure_ascii=False)},
        )


_ASK = "Take these fields from the text below. Answer with one JSON object that has these names, and nothing else."


def _schema(answer: JsonObject, also: JsonObject) -> JsonObject:
    """What accepts the answer alone; ``also`` holds more right values by field."""
    return {
        "type": "object",
        "properties": {name: {"enum": [value, *also.get(name, ())]} for name, value in answer.items()},
        "required": list(answer),
        "additionalProperties": False,
    }


TASK = Task(
    name="extraction",
    version=1,
    kind="quality",
    description="Fields of a sentence as one JSON object; every value must be right.",
    load=load,
    scorer=json_schema(),
    source="tasks/data/extraction.jsonl",
)
