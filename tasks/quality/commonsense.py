"""Common sense: 20 everyday situations with four options, written for this project.

Known traps: a quarter is right by guessing; the right letters are spread evenly, so a model that always says A gets
five; a model that fails many of these does not follow the form rather than not knowing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

DATA = Path(__file__).parents[1] / "data" / "commonsense.jsonl"
SHA256 = "86dbe2502151e9412e95bcb2b9ea586dab961b24b6efa7bce2708fee33de5c59"
COLUMNS = ("question", "options", "answer")

ask = Lettered("commonsense")


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question, options (two to four) and answer (a letter)."""
    rows = local_rows(data, COLUMNS) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield ask(number, row["question"], row["options"], row["answer"])


TASK = Task(
    name="commonsense",
    version=1,
    kind="quality",
    description="Everyday situations; the answer is one of four letters.",
    load=load,
    scorer=choice("ABCD"),
    source="tasks/data/commonsense.jsonl",
)
