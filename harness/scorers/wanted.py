"""Targets that are one text or several."""

from __future__ import annotations

from harness.errors import TaskError
from harness.types import Sample


def wanted_texts(sample: Sample, scorer: str) -> list[str]:
    """The texts of a target; TaskError when it is neither a string nor a list of strings, or one of them is empty."""
    texts = [sample.target] if isinstance(sample.target, str) else sample.target
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(one, str) and one for one in texts):
        raise TaskError(f"sample {sample.id}: the target of {scorer} is a string or a list of strings, none empty")
    return list(texts)
