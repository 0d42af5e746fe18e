"""MMLU-Pro: 12,032 harder questions on 14 subjects with up to ten options, answered after reasoning.

Source: Wang et al., "MMLU-Pro: A More Robust and Challenging Multi-Task Language Understanding Benchmark",
arXiv:2406.01574; the revision is the one that inspect_evals 0.28.0 pins in ``mmlu_pro/mmlu_pro.py``. Later revisions
mend some rows, so figures of other revisions are not comparable. Published figures are mostly with five examples.
Known traps: the set is public and models have trained on it; not every question has ten options, so guessing is right
a little more often than one time in ten; an answer cut off at 2,048 tokens has no letter, which the finish reason
shows; models that reason at length need more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

HUB = "TIGER-Lab/MMLU-Pro"
REVISION = "527feea0afed1de15a8c115abf7be4c912123315"
COLUMNS = ("question", "options", "answer")

ask = Lettered("mmlu_pro", steps=True)


def load(data: Path | None) -> Iterator[Sample]:
    """The test split in its own order; a local copy needs the columns question, options and answer (a letter)."""
    found = rows(hub=HUB, revision=REVISION, split="test", data=data, columns=COLUMNS)
    for number, row in enumerate(found, 1):
        yield ask(number, row["question"], row["options"], row["answer"], subject=row.get("category"))


TASK = Task(
    name="mmlu_pro",
    version=1,
    kind="quality",
    description="Hard exam questions, zero-shot with reasoning; the answer is one of up to ten letters.",
    load=load,
    scorer=choice("ABCDEFGHIJ"),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
