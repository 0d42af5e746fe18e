"""Of three embeddings the second is nearer to the first than the third is."""

from __future__ import annotations

from harness.exchange import Completion
from harness.stats.vectors import cosine
from harness.types import Sample, Score, Scorer

VERSION = 1
EXAMPLE = "nearer"


def nearer() -> Scorer:
    """Full marks when the cosine of the first two vectors is above that of the first and the third.

    For samples of three inputs: a text, one that means the same, and one that does not. An answer with another number
    of vectors cannot be judged (fault ``not_three_vectors``).
    """

    def score(sample: Sample, completion: Completion) -> Score:  # noqa: ARG001 - the inputs' order says it all
        vectors = completion.vectors
        if len(vectors) != 3:
            told = f"{len(vectors)} vectors, not 3"
            return Score(None, None, told, "nearer", VERSION, fault="not_three_vectors")
        near, far = cosine(vectors[0], vectors[1]), cosine(vectors[0], vectors[2])
        sign = ">" if near > far else "<=" if near < far else "="
        said = f"{near:.4f} {sign} {far:.4f}"
        told = f"cosine to the paraphrase {near:.4f}, to another subject {far:.4f}"
        return Score(float(near > far), said, told, "nearer", VERSION, details={"near": near, "far": far})

    return Scorer("nearer", VERSION, score)
