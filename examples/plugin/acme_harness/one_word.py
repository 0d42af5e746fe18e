"""A load: short questions with short answers."""

from __future__ import annotations

from harness.run.arrivals import Closed
from harness.types import Load, Sample


def sample(seed: int, index: int) -> Sample:
    """The index-th question of a seed."""
    question = f"Say one word that rhymes with number {index} of list {seed}."
    return Sample(f"{seed}-{index}", ({"role": "user", "content": question},), params={"max_tokens": 8})


LOAD = Load("one_word", 1, "Short questions, at most 8 output tokens, two users.", (Closed(2),), 6, sample)
