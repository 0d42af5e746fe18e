"""Errands: 20 requests to an assistant with one to three tools, written for this project; none of them is in assistant.

Fourteen need one call, three need two at once, three need none, and eight offer tools that are not needed. The tools
stand in the data as the API has them, so a file of one's own can bring any. Known trap: texts are compared without
case, white space and punctuation, and not by meaning: "I'm coming" is not "I am on my way".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.errors import TaskError
from harness.scorers.tool_call import tool_call
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "errands.jsonl"
SHA256 = "7931adabe8dc8821b235ead295c569dd713c3b2d339c4f7726a74e16f35a59c7"
COLUMNS = ("id", "question", "tools", "expected")


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs id, question, tools (as in the API) and expected."""
    for row in local_rows(data, COLUMNS) if data else package_rows(DATA, SHA256):
        if not isinstance(row["tools"], list):
            raise TaskError(f"errands item {row['id']}: tools must be a list of tools as the API has them")
        yield Sample(
            id=row["id"],
            messages=({"role": "user", "content": row["question"]},),
            target=row["expected"],
            tools=tuple(row["tools"]),
            params={"temperature": 0, "max_tokens": 128, "tool_choice": "auto"},
        )


TASK = Task(
    name="errands",
    version=1,
    kind="tools",
    description="Requests with one to three tools; the right calls with the right arguments, or none.",
    load=load,
    scorer=tool_call(),
    source="tasks/data/errands.jsonl",
)
