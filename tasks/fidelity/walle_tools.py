"""Forced tools: 122 schemas, each the parameters of a tool that must be called.

Example: ``{"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "number"}]}}}``, which
``{"a": 1}`` fits. A server that decodes under a grammar accepts every one of them; one that only promises to do so
gives arguments that do not fit, and ``harness verify`` compares how often. The score only says whether there was an
answer.

Source: MoonshotAI/walle at commit 196bb0c, ``testdata/validator_cases``: what a constrained decoder must accept, in
folders by feature. Licence: MIT.

Known traps: the schemas that are no objects at the top are left out, since parameters are an object; with
``json_schema_following`` all are asked. Many are met by ``{}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import files_in, local_rows
from harness.scorers.answered import answered
from harness.types import JsonObject, Sample, Task

_FILE = "valid.jsonl"
_HINT = "--data: the folder testdata/validator_cases of the repository MoonshotAI/walle at commit 196bb0c"
_NAME = "example"


def load(data: Path | None) -> Iterator[Sample]:
    """The schemas by folder and line; data needs walle's folder, one of those in it, or a file of schemas."""
    for path in files_in(data, _FILE, "fidelity_walle", _HINT):
        for number, schema in enumerate(local_rows(path), 1):
            if schema.get("type") != "object":
                continue
            described: JsonObject = {"name": _NAME, "description": "Takes an example.", "parameters": schema}
            yield Sample(
                id=f"{path.parent.name}-{number:02d}",
                messages=({"role": "user", "content": "Go on with an invented example. Keep it short."},),
                tools=({"type": "function", "function": described},),
                params={
                    "temperature": 0,
                    "max_tokens": 512,
                    "tool_choice": {"type": "function", "function": {"name": _NAME}},
                },
            )


TASK = Task(
    name="fidelity_walle",
    version=1,
    kind="tools",
    description="A tool that must be called, with the parameters of odd schemas; whether there is an answer.",
    load=load,
    scorer=answered(),
    licence="MIT",
    source="local: MoonshotAI/walle@196bb0c",
)
