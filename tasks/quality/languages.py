"""Ten languages: two easy questions in each, written for this project.

Spanish, French, German, Italian, Portuguese, Dutch, Polish, Russian, Chinese, Japanese; every language comes once
before any comes again. The answer is a word or a number in the language of the question. Known traps: an answer in
English is wrong; with two questions to a language, no figure can be had for a single one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.exact import exact
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "languages.jsonl"
SHA256 = "4ee6bfa86f4b56c17617159d4add33f2eaab262bbf3d58b6ebf48816ca7f09c6"


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs question and answer (one, or a list of right ones)."""
    rows = local_rows(data, ("question", "answer")) if data else package_rows(DATA, SHA256)
    for number, row in enumerate(rows, 1):
        yield Sample(
            id=f"{number:02d}",
            messages=({"role": "user", "content": row["question"]},),
            target=row["answer"],
            params={"temperature": 0, "max_tokens": 24},
            metadata={"language": row.get("language")},
        )


TASK = Task(
    name="languages",
    version=1,
    kind="quality",
    description="Easy questions in ten languages; the answer is one word or number.",
    load=load,
    scorer=exact(ignore_case=True, ignore_punctuation=True),
    source="tasks/data/languages.jsonl",
)
