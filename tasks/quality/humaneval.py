"""HumanEval: 164 Python functions to write from their head and docstring, judged by running their tests.

Example: the head ``def truncate_number(number: float) -> float:`` with a docstring that asks for the decimal part.
The answer may be the whole function or a completion that goes on where the prompt ends. A repeated run gives the
answers that pass@k is worked out from.

Source: Chen et al., "Evaluating Large Language Models Trained on Code", arXiv:2107.03374; openai/human-eval.
Known traps: the set is public and models have trained on it; its tests are few, so a wrong program may pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.scorers.code_execution import code_execution
from harness.types import Sample, Task

HUB = "openai/openai_humaneval"
REVISION = "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544"

_INSTRUCTION = (
    "Complete this Python function. Answer with one Python code block that holds the whole function and what it needs "
    "to import, and nothing else."
)


def load(data: Path | None) -> Iterator[Sample]:
    """The problems in their order; a local copy needs the columns task_id, prompt, test and entry_point."""
    columns = ("task_id", "prompt", "test", "entry_point")
    for row in rows(hub=HUB, revision=REVISION, split="test", data=data, columns=columns):
        prompt, name = row["prompt"], row["entry_point"]
        yield Sample(
            id=row["task_id"],
            messages=({"role": "user", "content": f"{_INSTRUCTION}\n\n```python\n{prompt}```"},),
            target={"prompt": prompt, "entry_point": name, "tests": f"{row['test']}\ncheck({name})\n"},
            params={"temperature": 0, "max_tokens": 1024},
        )


TASK = Task(
    name="humaneval",
    version=1,
    kind="quality",
    description="Python functions from their docstrings; their tests are run (needs --allow-code-exec).",
    load=load,
    scorer=code_execution(),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
