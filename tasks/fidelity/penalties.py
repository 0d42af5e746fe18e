"""Penalties: 16 requests to say a word twenty times, every other one with both penalties at their largest.

A server that honours ``frequency_penalty`` and ``presence_penalty`` breaks off the row of equal words, against the
prompt; one that drops them does not. At temperature 0, so that chance has no part in it.

Known traps: a model that does not follow so simple a prompt repeats nothing either way, and then nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import TaskError
from harness.scorers.answered import answered
from harness.types import JsonObject, Sample, Task

WORDS = ("river", "stone", "light", "garden", "paper", "winter", "north", "silver")
SETTINGS: dict[str, JsonObject] = {"off": {}, "on": {"frequency_penalty": 2, "presence_penalty": 2}}
MAX_TOKENS = 60


def load(data: Path | None) -> Iterator[Sample]:
    """Each word without penalties and with them; there is nothing to give."""
    if data is not None:
        raise TaskError("fidelity_penalties has its own prompts", hint="Leave out --data")
    for word in WORDS:
        for setting, params in SETTINGS.items():
            said = {"role": "user", "content": f'Write the word "{word}" 20 times.'}
            yield Sample(f"{word} {setting}", (said,), params={"temperature": 0, "max_tokens": MAX_TOKENS, **params})


TASK = Task(
    name="fidelity_penalties",
    version=1,
    kind="quality",
    description="Words to be said twenty times, with and without penalties; whether there is an answer.",
    load=load,
    scorer=answered(),
    source="made by the task",
)
