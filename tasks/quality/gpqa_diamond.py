"""GPQA Diamond: 198 questions by experts in biology, physics and chemistry that a search does not answer.

Source: Rein et al., "GPQA: A Graduate-Level Google-Proof Q&A Benchmark", arXiv:2311.12022; the revision is the one
that marin-community/marin pins in ``experiments/post_training/task_curation/datasets/gpqa.py``.
Its authors ask that no example is shown in plain text anywhere: keep run folders of this task to yourself, their
texts hold the questions. The data set is gated: the hub gives it to who has accepted its terms and is logged in.
Known traps: with 198 questions the standard error is about 3.5 points; the source lists the right answer first, so
the options are put into an order of our own, and another order gives another figure; a quarter is right by guessing;
an answer cut off at 2,048 tokens has no letter, which the finish reason shows; models that reason at length need more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

HUB = "Idavidrein/gpqa"
REVISION = "83022cefff930aea54f654c0b282e74b9eeda5c6"
OPTIONS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")

ask = Lettered("gpqa_diamond", steps=True, shuffled=True)


def load(data: Path | None) -> Iterator[Sample]:
    """All questions; a local copy needs the columns Question, Correct Answer and Incorrect Answer 1, 2 and 3."""
    columns = ("Question", *OPTIONS)
    found = rows(hub=HUB, revision=REVISION, config="gpqa_diamond", split="train", data=data, columns=columns)
    for number, row in enumerate(found, 1):
        options = [row[column] for column in OPTIONS]
        yield ask(number, row["Question"], options, 0, subject=row.get("High-level domain"))


TASK = Task(
    name="gpqa_diamond",
    version=1,
    kind="quality",
    description="Questions for experts in science, zero-shot with reasoning; the answer is one of four letters.",
    load=load,
    scorer=choice("ABCD"),
    licence="CC-BY-4.0",
    source=f"hub {HUB}@{REVISION[:7]}",
)
