"""ARC-Challenge: 1,172 school science questions that word statistics alone did not answer, asked without examples.

Source: Clark et al., "Think you have Solved Question Answering? Try ARC, the AI2 Reasoning Challenge",
arXiv:1803.05457; the revision is the one that inspect_evals 0.28.0 pins in ``arc/arc.py``.
Known traps: the set is public and models have trained on it, and large ones answer nearly all of it; a few questions
have three or five options, and some name them 1 to 4, which we ask as A to D; figures from likelihoods of the answer
texts are lower than these from letters.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.choice import choice
from harness.types import JsonObject, Sample, Task
from harness.workload.lettered import Lettered

HUB = "allenai/ai2_arc"
REVISION = "210d026faf9955653af8916fad021475a3f00453"
COLUMNS = ("question", "choices", "answerKey")

ask = Lettered("arc_challenge")


def load(data: Path | None) -> Iterator[Sample]:
    """The test split; a local copy needs the columns question, choices (lists text and label) and answerKey."""
    found = rows(hub=HUB, revision=REVISION, config="ARC-Challenge", split="test", data=data, columns=COLUMNS)
    for number, row in enumerate(found, 1):
        choices = row["choices"]
        yield ask(number, row["question"], _listed(choices, "text", number), _right(row, number))


def _listed(choices: object, field: str, number: int) -> list[str]:
    found = choices.get(field) if isinstance(choices, dict) else None
    if not isinstance(found, list):
        raise TaskError(f"arc_challenge row {number}: column 'choices' must hold two lists, text and label")
    return found


def _right(row: JsonObject, number: int) -> int:
    labels = _listed(row["choices"], "label", number)
    if row["answerKey"] not in labels:
        raise TaskError(f"arc_challenge row {number}: answerKey {row['answerKey']!r} is none of the labels")
    return labels.index(row["answerKey"])


TASK = Task(
    name="arc_challenge",
    version=1,
    kind="quality",
    description="School science questions, zero-shot; the answer is one of three to five letters.",
    load=load,
    scorer=choice("ABCDE"),
    licence="CC-BY-SA-4.0",
    source=f"hub {HUB}@{REVISION[:7]}",
)
