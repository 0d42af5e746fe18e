"""Logic: 20 small puzzles of one to three premises with four options each, written for this project.

Order, exclusion, conditionals, and a few where nothing can be known. Known traps: a quarter is right by guessing; the
right letters are spread evenly, so a model that always says A gets five.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

DATA = Path(__file__).parents[1] / "data" / "logic.jsonl"
SHA256 = "c21213910559b5eb45223aae6a997461d74b1aad41cf0099cdd333719bd29212"
COLUMNS = ("question", "options", "answer")

ask = Lettered("logic")


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question, options (two to four) and answer (a letter)."""
    rows = local_rows(data, COLUMNS) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield ask(number, row["question"], row["options"], row["answer"])


TASK = Task(
    name="logic",
    version=1,
    kind="quality",
    description="Small puzzles; the answer is one of four letters.",
    load=load,
    scorer=choice("ABCD"),
    source="tasks/data/logic.jsonl",
)
