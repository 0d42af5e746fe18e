"""MBPP: 500 small Python functions described in a sentence or two, judged by running their three tests.

The test split: task ids 11 to 510 of the original 974, which is what published results are about; rows with other ids
are left out of a local file. The file of the 427 checked by hand (``sanitized-mbpp.json``) will do as well and gives
those 257 of it that are in the test split.

Example: "Write a python function to remove first and last occurrence of a given character from the string." The tests
are shown to the model, since nothing else says what the function is called.

Source: Austin et al., "Program Synthesis with Large Language Models", arXiv:2108.07732; google-research/mbpp.
Known traps: the set is public; some descriptions do not say what the tests ask for; the reference solution of 123 tries
every number and takes longer than a program is given here, so that task asks for a better one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.code_execution import code_execution
from harness.types import JsonObject, Sample, Task

HUB = "google-research-datasets/mbpp"
REVISION = "4bb6404fdc6cacfda99d4ac4205087b89d32030c"

_TEST_SPLIT = range(11, 511)
_INSTRUCTION = (
    "Answer with one Python code block that holds the function and what it needs to import, and nothing else."
)


def load(data: Path | None) -> Iterator[Sample]:
    """The test split in its order; a local copy needs the columns task_id, text (or prompt), code and test_list."""
    columns = ("task_id", "code", "test_list")
    for row in rows(hub=HUB, revision=REVISION, config="full", split="test", data=data, columns=columns):
        if row["task_id"] not in _TEST_SPLIT:
            continue
        asked = row.get("text") or row.get("prompt")
        if not asked:
            raise TaskError(f"mbpp task_id {row['task_id']}: there is neither a column 'text' nor 'prompt'")
        shown = "\n".join(row["test_list"])
        content = f"{asked}\nYour code should pass these tests:\n\n```python\n{shown}\n```\n\n{_INSTRUCTION}"
        yield Sample(
            id=str(row["task_id"]),
            messages=({"role": "user", "content": content},),
            target={"tests": f"{_setup(row)}\n{shown}\n", "entry_point": _entry_point(row)},
            params={"temperature": 0, "max_tokens": 1024},
        )


def _setup(row: JsonObject) -> str:
    """What the tests want to be there; it may use classes of the program, so it comes after that."""
    return "\n".join([*(row.get("test_imports") or ()), row.get("test_setup_code") or ""]).strip()


def _entry_point(row: JsonObject) -> str:
    """The function of the reference solution that the first test calls; empty: it cannot be told."""
    made = set(re.findall(r"^[ \t]*def[ \t]+(\w+)", row["code"], re.MULTILINE))
    called = re.findall(r"\b(\w+)\s?\(", "".join(row["test_list"][:1]))
    return next((name for name in called if name in made), "")


TASK = Task(
    name="mbpp",
    version=1,
    kind="quality",
    description="Small Python functions from a sentence; their tests are run (needs --allow-code-exec).",
    load=load,
    scorer=code_execution(),
    licence="CC-BY-4.0",
    source=f"hub {HUB}@{REVISION[:7]}",
)
