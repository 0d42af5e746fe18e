"""Rewriting: 20 sentences to be changed in one way that has one outcome, written for this project.

Tense, negation, passive, contractions, words replaced, sorted or taken out. Case and punctuation do not count. Known
trap: an answer that begins with "Here is" is wrong, since the new text alone is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.exact import exact
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "rewriting.jsonl"
SHA256 = "938ab13a9136b542897948e4ed91979b0fcfc0fc4ccca71e1b1fc8574589cfbb"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question and answer (one, or a list of right ones)."""
    rows = local_rows(data, ("question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": f"{row['question']}\nAnswer with the new text only."},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 32},
        )


TASK = Task(
    name="rewriting",
    version=1,
    kind="quality",
    description="A sentence to be changed in one way; the answer is the new text.",
    load=load,
    scorer=exact(ignore_case=True, ignore_punctuation=True),
    source="tasks/data/rewriting.jsonl",
)
