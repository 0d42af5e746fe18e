"""A scorer: the answer has at most so many words."""

from __future__ import annotations

from harness.exchange import Completion
from harness.types import Sample, Score, Scorer


def no_longer_than(words: int = 10) -> Scorer:
    """Full marks for an answer of at most so many words; an empty one has none of them."""
    name = f"no_longer_than({words})"

    def score(sample: Sample, completion: Completion) -> Score:  # noqa: ARG001 - a scorer's signature
        said = len(completion.text.split())
        return Score(float(0 < said <= words), completion.text[:200] or None, f"{said} words", name, 1)

    return Scorer(name, 1, score)
