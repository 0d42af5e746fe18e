"""Instruction following: 20 requests for one exact text, written for this project.

Case, punctuation and hyphens are what is asked for, so they count; only white space at the ends and how much of it
stands between words does not. Known trap: a model that adds "Sure!" or quotation marks has not followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.exact import exact
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "instructions.jsonl"
SHA256 = "dfb4dd760b67f778f55a07dc7fc7c75adbd8d59498094c67161ef370aa2675d2"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question and answer (one, or a list of right ones)."""
    rows = local_rows(data, ("question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": row["question"]},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 24},
        )


TASK = Task(
    name="instructions",
    version=1,
    kind="quality",
    description="Requests for one exact text; case and punctuation count.",
    load=load,
    scorer=exact(),
    source="tasks/data/instructions.jsonl",
)
