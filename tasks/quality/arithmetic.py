"""Mental arithmetic from "What is 2 + 3?" to word problems of two steps, written for this project.

Small enough for a demo and hard enough to tell a 135M model from a large one. The levels are mixed, so the first
20 items are much like all 48. Known trap: every item has been public since it was written, so a high score says
that the endpoint works, not that its model reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.numeric import numeric
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "arithmetic.jsonl"
SHA256 = "9285eff9c04343e32d909dc784bbda5e62b22ee5a81e35d74e1a2895cb50583e"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs the columns question and answer."""
    rows = local_rows(data, ("question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": f"{row['question']}\nAnswer with the number only."},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 32},
            metadata={"level": row.get("level")},
        )


TASK = Task(
    name="arithmetic",
    version=1,
    kind="quality",
    description="Sums and short word problems; the answer is one number.",
    load=load,
    scorer=numeric(),
    source="tasks/data/arithmetic.jsonl",
)
