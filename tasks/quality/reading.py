"""Reading comprehension: 20 questions on ten passages of two or three sentences, written for this project.

Each answer stands in its passage, sometimes behind one step: who came in last, who is whose uncle. Several wordings of
an answer are right; case and punctuation do not count. Known trap: an answer in a whole sentence is wrong, since few
words are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.exact import exact
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "reading.jsonl"
SHA256 = "62ae7e77db037ad02fbea4e27a77c64340c8e885c4ab66aa7f9a79158143f76e"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs passage, question and answer (one or a list)."""
    rows = local_rows(data, ("passage", "question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        question = f"{row['question']} Answer with a few words, not with a sentence."
        yield Sample(
            id=f"{number:02d}",
            messages=(
                {
                    "role": "user",
                    "content": f"{row['passage']}\n\n{question}",
                },
            ),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 24},
        )


TASK = Task(
    name="reading",
    version=1,
    kind="quality",
    description="Short passages with a question each; the answer is a few words.",
    load=load,
    scorer=exact(ignore_case=True, ignore_punctuation=True),
    source="tasks/data/reading.jsonl",
)
