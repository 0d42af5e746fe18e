"""Sentences of everyday life as JSON under a schema, written for this project: 20 items that need no network.

Example: "I finished Moby-Dick by Herman Melville, of 1851, and would give it four stars of five." under a schema of
title, author, year and one to five stars. The schema is sent as a strict ``response_format``, and its text stands in
the question. Choices, ranges, patterns, null, unions and a recursive record are among them.

Licence: Apache-2.0.

Known traps: what is judged is whether the answer fits the schema, not whether its values are those of the sentence. A
server that enforces the schema makes every model right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.json_schema import json_schema
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "json_records.jsonl"
SHA256 = "1e7d77c7a9c43d6fff95787d026fcfd3bccb8047c7f88fa58bd0581bfbff75e0"
_INSTRUCTION = "Write what is said below as one JSON value that fits the JSON Schema. Answer with the JSON value alone."


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs id, text and schema, and may have an example."""
    for row in local_rows(data, ("id", "text", "schema")) if data else package_rows(DATA, SHA256):
        schema = json.dumps(row["schema"], ensure_ascii=False)
        form = {"name": "record", "strict": True, "schema": row["schema"]}
        example = row.get("example")
        yield Sample(
            id=row["id"],
            messages=({"role": "user", "content": f"{_INSTRUCTION}\n\n{row['text']}\n\n{schema}"},),
            target=row["schema"],
            params={
                "temperature": 0,
                "max_tokens": 512,
                "response_format": {"type": "json_schema", "json_schema": form},
            },
            metadata={} if example is None else {"answer_text": json.dumps(example, ensure_ascii=False)},
        )


TASK = Task(
    name="json_records",
    version=1,
    kind="quality",
    description="Everyday sentences as JSON under a schema that is sent as a strict response format.",
    load=load,
    scorer=json_schema(),
    source="tasks/data/json_records.jsonl",
)
