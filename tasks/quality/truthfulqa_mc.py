"""TruthfulQA, one right option (MC1): 817 questions that many people answer with a common error.

Source: Lin et al., "TruthfulQA: Measuring How Models Mimic Human Falsehoods", arXiv:2109.07958; the revision is the
one that inspect_evals 0.28.0 pins in ``truthfulqa/truthfulqa.py``.
Known traps: the set is public and models have trained on it; right options can be told from wrong ones by their form:
a decision tree that never sees the question gets 79.6 % (Turner and Kurzeja, "Gaming TruthfulQA", 2025); the source
lists the right option first, so the options are put into an order of our own; their number differs from row to row, and
what guessing gets right with it; published MC1 figures compare likelihoods of the options, which is another task than
naming a letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

HUB = "truthfulqa/truthful_qa"
REVISION = "741b8276f2d1982aa3d5b832d3ee81ed3b896490"
COLUMNS = ("question", "mc1_targets")

ask = Lettered("truthfulqa_mc", shuffled=True)


def load(data: Path | None) -> Iterator[Sample]:
    """The validation split; a local copy needs the columns question and mc1_targets (lists choices and labels)."""
    found = rows(hub=HUB, revision=REVISION, config="multiple_choice", split="validation", data=data, columns=COLUMNS)
    for number, row in enumerate(found, 1):
        choices, right = _targets(row["mc1_targets"], number)
        yield ask(number, row["question"], choices, right)


def _targets(targets: object, number: int) -> tuple[list[str], int]:
    choices, labels = (targets.get(name) if isinstance(targets, dict) else None for name in ("choices", "labels"))
    if not isinstance(choices, list) or not isinstance(labels, list) or len(choices) != len(labels):
        raise TaskError(f"truthfulqa_mc row {number}: column 'mc1_targets' must hold two lists, choices and labels")
    if labels.count(1) != 1:
        raise TaskError(f"truthfulqa_mc row {number}: {labels.count(1)} of its labels are 1, and just one must be")
    return choices, labels.index(1)


TASK = Task(
    name="truthfulqa_mc",
    version=1,
    kind="quality",
    description="Questions that invite a common error, zero-shot; the answer is one of two or more letters.",
    load=load,
    scorer=choice("ABCDEFGHIJKLMNOPQRST"),
    licence="Apache-2.0",
    source=f"hub {HUB}@{REVISION[:7]}",
)
