"""IFEval: 541 prompts with 834 instructions that a program can check, such as "no commas" or "at least 300 words".

The score is the strict prompt-level accuracy: every instruction of a prompt is followed. The instruction-level and the
loose ones are in the details of each score.

Source: Zhou et al., "Instruction-Following Evaluation for Large Language Models", arXiv:2311.07911; google/IFEval.
Known traps: answers are long, and one that the token limit cuts off misses instructions about its end; two prompts in
five are about form alone, so a model can score well and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.ifeval import ifeval
from harness.types import Sample, Task

HUB = "google/IFEval"
REVISION = "966cd89545d6b6acfd7638bc708b98261ca58e84"


def load(data: Path | None) -> Iterator[Sample]:
    """The prompts in their own order; a local copy needs the columns key, prompt, instruction_id_list and kwargs."""
    columns = ("key", "prompt", "instruction_id_list", "kwargs")
    for number, row in enumerate(rows(hub=HUB, revision=REVISION, split="train", data=data, columns=columns), 1):
        yield Sample(
            id=str(row["key"]),
            messages=({"role": "user", "content": row["prompt"]},),
            target=_target(row["instruction_id_list"], row["kwargs"], number),
            params={"temperature": 0, "max_tokens": 1280},
        )


def _target(names: Any, arguments: Any, number: int) -> list[dict[str, Any]]:
    if not isinstance(names, list) or not isinstance(arguments, list) or len(names) != len(arguments):
        raise TaskError(f"ifeval row {number}: instruction_id_list and kwargs must be lists of one length")
    return [{"id": name, "kwargs": kwargs} for name, kwargs in zip(names, arguments, strict=True)]


TASK = Task(
    name="ifeval",
    version=1,
    kind="quality",
    description="Instructions that a program can check; every one of a prompt must be followed.",
    load=load,
    scorer=ifeval(),
    licence="Apache-2.0",
    source=f"hub {HUB}@{REVISION[:7]}",
)
