"""How a task with an environment is written down: what is wanted, what it must come to, and one way to do it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.types import JsonObject, Sample
from harness.worlds.toolbox import Tool

GONE = object()
"""In the place of a value: it is not there any more."""
Step = str | Sequence[JsonObject]
"""What the model does next: says something, or makes calls at once."""


def call(name: str, /, **arguments: Any) -> JsonObject:
    """One call of a reference solution."""
    return {"name": name, "arguments": arguments}


def after(start: JsonObject, changes: Sequence[tuple[Any, ...]]) -> JsonObject:
    """A state with some values set: each change is the path of a value and, last, the value itself, or ``GONE``."""
    state = copy.deepcopy(start)
    for *path, last, value in changes:
        place = state
        for step in path:
            place = place[step]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return state


class Wish(NamedTuple):
    """What one sample is about."""

    name: str
    """Id of the sample."""
    asks: str | Sequence[str]
    """What the user says; of several the later ones, each once the model has done its calls and answered."""
    solution: Sequence[Step]
    """One right way to the end, for the simulator and for tests; a text ends a turn of the model."""
    changes: Sequence[tuple[Any, ...]] = ()
    """What the first state must have become, in the form of ``after``; none: it must be as it was."""
    facts: Sequence[str | list[str]] = ()
    """What the last text must tell; of a list one is enough."""


@dataclass(frozen=True, slots=True)
class Script:
    """What all samples of a task have in common."""

    system: str
    """The rules that the model works under."""
    tools: Mapping[str, Tool]
    """Those of the environment, by name."""
    start: JsonObject
    """Its first state."""

    def samples(self, wishes: Iterable[Wish]) -> Iterator[Sample]:
        """The samples for these wishes, in their order, as the scorer ``tool_state`` wants them."""
        return map(self._sample, wishes)

    def _sample(self, wish: Wish) -> Sample:
        first, *more = [wish.asks] if isinstance(wish.asks, str) else wish.asks
        return Sample(
            id=wish.name,
            messages=({"role": "system", "content": self.system}, {"role": "user", "content": first}),
            target={"state": after(self.start, wish.changes), "facts": list(wish.facts)},
            tools=tuple(tool.schema for tool in self.tools.values()),
            params={"temperature": 0, "max_tokens": 512, "tool_choice": "auto"},
            turns=tuple(more),
            metadata={"start": self.start, "solution": list(wish.solution)},
        )
