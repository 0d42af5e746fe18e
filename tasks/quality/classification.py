"""Classification: 20 short texts, ten to be called positive or negative, ten to be given one of four topics.

Written for this project; the two kinds take turns. Known traps: guessing gets half of the first ten and a quarter of
the others; no text is ironic or mixed, so a full score is easy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

DATA = Path(__file__).parents[1] / "data" / "classification.jsonl"
SHA256 = "a8df8db037ed61d55f807c8aa37e283382fd64b4452a15641eeb1d1705bb7f06"
COLUMNS = ("question", "options", "answer")

ask = Lettered("classification")


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question, options (two to four) and answer (a letter)."""
    rows = local_rows(data, COLUMNS) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield ask(number, row["question"], row["options"], row["answer"])


TASK = Task(
    name="classification",
    version=1,
    kind="quality",
    description="Sentiment and topic of a sentence; the answer is one letter.",
    load=load,
    scorer=choice("ABCD"),
    source="tasks/data/classification.jsonl",
)
