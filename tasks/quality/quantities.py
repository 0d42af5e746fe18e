"""Dates, times and units: 20 questions whose answer is one number, written for this project.

A unit behind the number is fine. Known trap: the last number of an answer counts, so "150 minutes, since 2.5 times 60"
is read as 60; the number alone is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.numeric import numeric
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "quantities.jsonl"
SHA256 = "86b5556cd72cc8477436383b79b455282a535317c56d6ca5c9673c84ce17f162"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs the columns question and answer."""
    rows = local_rows(data, ("question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": f"{row['question']}\nAnswer with the number only."},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 32},
        )


TASK = Task(
    name="quantities",
    version=1,
    kind="quality",
    description="Dates, times and units; the answer is one number.",
    load=load,
    scorer=numeric(),
    source="tasks/data/quantities.jsonl",
)
