"""HellaSwag: 10,042 beginnings of everyday scenes, each with four endings of which one was really written.

Source: Zellers et al., "HellaSwag: Can a Machine Really Finish Your Sentence?", arXiv:1905.07830; the revision is the
one that inspect_evals 0.28.0 pins in ``hellaswag/hellaswag.py``. The validation split is asked, since the test split
has no answers. Marks of its WikiHow half such as ``[title]`` are taken out, as lm-evaluation-harness does
(``hellaswag/utils.py``). The licence is that of rowanz/hellaswag; the hub names none.
Known traps: the set is public and models have trained on it; wrong endings were made by an old language model and
some read as well as the right one; published figures compare likelihoods of the endings, which is another task than
naming a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.choice import choice
from harness.types import Sample, Task
from harness.workload.lettered import Lettered

HUB = "Rowan/hellaswag"
REVISION = "218ec52e09a7e7462a5400043bb9a69a41d06b76"
COLUMNS = ("ctx", "endings", "label")

ask = Lettered("hellaswag")


def load(data: Path | None) -> Iterator[Sample]:
    """The validation split; a local copy needs the columns ctx, endings and label (0 to 3)."""
    found = rows(hub=HUB, revision=REVISION, split="validation", data=data, columns=COLUMNS)
    for number, row in enumerate(found, 1):
        if row["label"] == "":
            raise TaskError(f"hellaswag row {number}: label is empty", hint="The test split has no answers")
        endings = row["endings"]
        texts = [_plain(str(ending)) for ending in endings] if isinstance(endings, list) else endings
        question = f"Which ending goes best with this beginning?\n\n{_plain(str(row['ctx']))}"
        yield ask(number, question, texts, row["label"], activity=row.get("activity_label"))


def _plain(text: str) -> str:
    text = re.sub(r"\[[^\]\n]*\]", "", text.replace(" [title]", ". "))
    return " ".join(text.split())


TASK = Task(
    name="hellaswag",
    version=1,
    kind="quality",
    description="How an everyday scene goes on, zero-shot; the answer is one of four letters.",
    load=load,
    scorer=choice("ABCD"),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
