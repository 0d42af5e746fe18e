"""How a task with an environment is written down: what is wanted, what it must come to, and one way to do it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.errors import TaskError
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
        for one in wishes:
            yield self._sample(one, self.start, after(self.start, one.changes))

    def of_rows(self, rows: Iterable[JsonObject]) -> Iterator[Sample]:
        """The samples of a user's file, a row each.

        Columns: ``id``; ``asks``, a text or a list of texts; ``state``, the parts of the environment that count, as
        they must be in the end; and where there are any ``start`` (else the script's own), ``facts``, ``solution``.
        TaskError where ``asks`` is something else.
        """
        for row in rows:
            name, asks, start = str(row["id"]), row["asks"], row.get("start") or self.start
            if not isinstance(asks, str) and not (
                isinstance(asks, list) and asks and all(isinstance(words, str) for words in asks)
            ):
                raise TaskError(f"item {name}: asks is a text, or a list of texts")
            wish = Wish(name, asks, row.get("solution") or (), facts=row.get("facts") or ())
            yield self._sample(wish, start, row["state"])

    def _sample(self, wish: Wish, start: JsonObject, reached: JsonObject) -> Sample:
        first, *more = [wish.asks] if isinstance(wish.asks, str) else wish.asks
        return Sample(
            id=wish.name,
            messages=({"role": "system", "content": self.system}, {"role": "user", "content": first}),
            target={"state": reached, "facts": list(wish.facts)},
            tools=tuple(tool.schema for tool in self.tools.values()),
            params={"temperature": 0, "max_tokens": 512, "tool_choice": "auto"},
            turns=tuple(more),
            metadata={"start": start, "solution": list(wish.solution)},
        )
