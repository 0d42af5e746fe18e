"""Embeddings of eighty sentences: is the paraphrase nearer than a sentence of another subject, and do endpoints agree?

Each request holds a sentence, its paraphrase, and the sentence of another item; so every first sentence is asked twice,
in two requests and two places, and an endpoint can be compared with itself before it is with others. The report sets
the vectors of the endpoints against each other. Known trap: sentences this short are easy for any model made for it,
and a chat model's embeddings are pooled from states that were trained for something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.data import local_rows, package_rows
from harness.scorers.nearer import nearer
from harness.types import Sample, Task

DATA = Path(__file__).parents[1] / "data" / "sentence_pairs.jsonl"
SHA256 = "dffc2f0c5d4c7992600d7c50a09e5fb84ea5d98cdc83cab0fdfd8fc0ba2d0ec1"
STEP = 13
"""Items between a sentence and the one that it should be farther from."""


def load(data: Path | None) -> Iterator[Sample]:
    """The items in the order of the file; a user's file needs the columns sentence and paraphrase."""
    rows = list(local_rows(data, ("sentence", "paraphrase")) if data else package_rows(DATA, SHA256))
    for number, row in enumerate(rows):
        yield Sample(
            id=f"{number + 1:02d}",
            messages=(),
            inputs=(row["sentence"], row["paraphrase"], rows[(number + STEP) % len(rows)]["sentence"]),
        )


TASK = Task(
    name="embedding_agreement",
    version=1,
    kind="quality",
    description="Embeddings of sentence pairs: the paraphrase must be nearer; the report compares endpoints' vectors.",
    load=load,
    scorer=nearer(),
    stream=False,
    source="tasks/data/sentence_pairs.jsonl",
)
