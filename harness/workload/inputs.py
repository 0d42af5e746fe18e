"""Made-up texts of chosen lengths to embed, one or several to a request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.types import Sample
from harness.workload import words
from harness.workload.figures import require_whole
from harness.workload.lengths import Length
from harness.workload.synthetic import stream


@dataclass(frozen=True, slots=True)
class Inputs:
    """A workload of embeddings: ``(seed, index) -> Sample``, the same for the same two numbers.

    No length is promised in ``metadata``: every input gets the load's nonce before it, and servers add tokens of their
    own to each. How long it came to be is in the usage.
    """

    input: Length
    """Tokens of each input."""
    batch: int = 1
    """Inputs of each request."""
    tokenizer: Path | None = None
    """A ``tokenizer.json`` that makes lengths exact; None: as many words as tokens."""

    def __post_init__(self) -> None:
        require_whole("batch", self.batch)

    def __call__(self, seed: int, index: int) -> Sample:
        """The index-th request of a seed."""
        own = f"{seed}/{index}"
        rng, lengths = stream(own), stream(f"{own}/input")
        return Sample(
            id=f"{seed}-{index:05d}",
            messages=(),
            inputs=tuple(words.text(rng, self.input.draw(lengths), self.tokenizer) for _ in range(self.batch)),
        )
