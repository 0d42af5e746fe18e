"""MMLU: 14,042 four-option questions on 57 subjects, from school to profession, asked without examples.

Source: Hendrycks et al., "Measuring Massive Multitask Language Understanding", arXiv:2009.03300; the revision is the
one that inspect_evals 0.28.0 pins in ``mmlu/mmlu.py``.
Known traps: the set is public and models have trained on it; some per cent of its answers are wrong or ambiguous
(Gema et al., "Are We Done with MMLU?", arXiv:2406.04127); published figures are mostly with five examples, so this
zero-shot figure is not comparable with them; models favour some letters; a quarter is right by guessing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

HUB = "cais/mmlu"
REVISION = "c30699e8356da336a370243923dbaf21066bb9fe"
COLUMNS = ("question", "choices", "answer")

ask = Lettered("mmlu")


def load(data: Path | None) -> Iterator[Sample]:
    """The test split; a local copy needs the columns question, choices and answer (0 to 3, or A to D)."""
    found = rows(hub=HUB, revision=REVISION, config="all", split="test", data=data, columns=COLUMNS)
    for number, row in enumerate(found, 1):
        yield ask(number, row["question"], row["choices"], row["answer"], subject=row.get("subject"))


TASK = Task(
    name="mmlu",
    version=1,
    kind="quality",
    description="Exam questions on 57 subjects, zero-shot; the answer is one of four letters.",
    load=load,
    scorer=choice("ABCD"),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
