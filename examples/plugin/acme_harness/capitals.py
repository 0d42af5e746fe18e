"""A task: capitals of countries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.scorers.includes import includes
from harness.types import Sample, Task

CAPITALS = {"Austria": "Vienna", "Japan": "Tokyo", "Peru": "Lima"}


def load(data: Path | None) -> Iterator[Sample]:  # noqa: ARG001 - this task has no data but its own
    """One question for each country."""
    for country, capital in CAPITALS.items():
        question = f"What is the capital of {country}? Answer with its name."
        yield Sample(country, ({"role": "user", "content": question},), target=capital, params={"max_tokens": 16})


TASK = Task("capitals", 1, "quality", "Capitals of countries; the answer names one.", load, includes())
