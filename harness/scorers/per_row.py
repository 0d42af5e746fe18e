"""Each sample has a scorer of its own, as where the rows of a file name theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import TaskError
from harness.exchange import Completion
from harness.scorers.strict_json import shown
from harness.types import Sample, Score, Scorer

VERSION = 1


def per_row(scorers: Mapping[str, Scorer]) -> Scorer:
    """Judge by the scorer of ``scorers`` that the sample's ``metadata["scorer"]`` names; scores carry its name.

    TaskError for a sample that names none of them.
    """

    def own(sample: Sample) -> Scorer:
        named = sample.metadata.get("scorer")
        if not isinstance(named, str) or named not in scorers:
            raise TaskError(f"sample {sample.id}: {shown(named)} is none of its task's scorers")
        return scorers[named]

    def score(sample: Sample, completion: Completion) -> Score:
        return own(sample).score(sample, completion)

    def episode(sample: Sample, said: Sequence[Completion]) -> Score:
        return own(sample).of_session(sample, said)

    return Scorer("per_row", VERSION, score, episode, waits=any(one.waits for one in scorers.values()))
