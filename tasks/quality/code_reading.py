"""Code reading: 20 Python programs of one to four lines, written for this project; what do they print?

Slices, loops, swaps, integer division. What is printed counts to the letter, so "true" is not "True"; white space is
forgiven. Known trap: an answer in a code fence is wrong, since the text alone is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.exact import exact
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "code_reading.jsonl"
SHA256 = "dd39f2e2d474be9c954a0e5b2a46c89854267b4969d4d7c2c578814d55cbfd6a"

_QUESTION = "What does this Python program print? Answer with the printed text only, without a code block."


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs code and answer (one, or a list of right ones)."""
    rows = local_rows(data, ("code", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": f"{_QUESTION}\n\n```python\n{row['code']}\n```"},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 32},
        )


TASK = Task(
    name="code_reading",
    version=1,
    kind="quality",
    description="What a short Python program prints, to the letter.",
    load=load,
    scorer=exact(),
    source="tasks/data/code_reading.jsonl",
)
