"""GSM8K: 1,319 grade-school word problems of two to eight steps, asked without examples.

Example: "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?"
with the worked answer ending in "#### 3", which is the target.

Source: Cobbe et al., "Training Verifiers to Solve Math Word Problems", arXiv:2110.14168; openai/grade-school-math.
Known traps: the set is public and models have trained on it; a few of its answers are wrong; at 256 tokens a wordy
model is cut off before its number, which the finish reason shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.errors import TaskError
from harness.scorers.numeric import numeric
from harness.types import Sample, Task

HUB = "openai/gsm8k"
REVISION = "e53f048856ff4f594e959d75785d2c2d37b678ee"

_FINAL = re.compile(r"#### *(-?[0-9.,]+)\s*$")
_INSTRUCTION = (
    "Solve the problem step by step. Then write the result on a last line of its own: four number signs, a space and "
    "the number alone, without a unit. If the result were 12 apples, that line would be:\n#### 12"
)


_PARAMS = {"temperature": 0, "max_tokens": 256}
"""The same for all, and shared by them."""


def load(data: Path | None) -> Iterator[Sample]:
    """The test split in its own order; a local copy needs the columns question and answer."""
    found = rows(hub=HUB, revision=REVISION, config="main", split="test", data=data, columns=("question", "answer"))
    for number, row in enumerate(found, 1):
        yield Sample(
            id=f"{number:04d}",
            messages=({"role": "user", "content": f"{_INSTRUCTION}\n\nProblem: {row['question']}"},),
            target=_target(row["answer"], number),
            params=_PARAMS,
        )


def _target(answer: object, number: int) -> str:
    final = _FINAL.search(str(answer))
    if final is None:
        raise TaskError(f"gsm8k row {number}: column 'answer' does not end in '#### ' and a number")
    return final[1].replace(",", "")


TASK = Task(
    name="gsm8k",
    version=1,
    kind="quality",
    description="Grade-school word problems, zero-shot; the answer is one number.",
    load=load,
    scorer=numeric(),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
