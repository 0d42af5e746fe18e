r"""MATH-500: 500 competition problems of seven subjects and five levels; the answer is an expression.

Example: "Convert the point $(0,3)$ in rectangular coordinates to polar coordinates", whose answer is
``\left( 3, \frac{\pi}{2} \right)``. Any expression that is equal is right.

Source: Lightman et al., "Let's Verify Step by Step", arXiv:2305.20050 (the test split of openai/prm800k), out of
Hendrycks et al., "Measuring Mathematical Problem Solving With the MATH Dataset", arXiv:2103.03874.
Known traps: the set is public; at 2,048 tokens a model that thinks aloud is cut off before its answer, which the finish
reason shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import rows
from harness.scorers.math_equivalence import math_equivalence
from harness.types import Sample, Task

HUB = "HuggingFaceH4/MATH-500"
REVISION = "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be"

_INSTRUCTION = r"Solve the problem step by step. Put the final answer, and nothing but it, into \boxed{}."


def load(data: Path | None) -> Iterator[Sample]:
    """The problems in their order; a local copy needs the columns problem, answer and unique_id."""
    for row in rows(hub=HUB, revision=REVISION, split="test", data=data, columns=("problem", "answer", "unique_id")):
        yield Sample(
            id=row["unique_id"],
            messages=({"role": "user", "content": f"{_INSTRUCTION}\n\nProblem: {row['problem']}"},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 2048},
            metadata={"subject": row.get("subject"), "level": row.get("level")},
        )


TASK = Task(
    name="math500",
    version=1,
    kind="quality",
    description="Competition mathematics; the answer is any equal expression (needs the extra scorers).",
    load=load,
    scorer=math_equivalence(),
    licence="MIT",
    source=f"hub {HUB}@{REVISION[:7]}",
)
