"""What a plan is made from: tasks, loads and probes by name or as objects, and who serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import catalog, config
from harness.catalog import Catalog
from harness.conformance.probe import Probe
from harness.prompts.filed import file_named
from harness.prompts.task import task_of
from harness.provider import Endpoint, Provider
from harness.run import stored
from harness.run.selecting.asked import asked
from harness.types import Load, Scorer, Task

Who = str | Endpoint
"""``provider/model``, or the endpoint itself."""
Providers = str | Path | Mapping[str, Provider] | None
"""A providers file, or providers by id; None: ``./providers.yaml`` over the shipped ones."""
Own = Task | Load | Probe
_ANY = "answered"
"""Scorer of a data file until the caller's own takes its place."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a plan's names are looked up."""

    catalog: Catalog
    providers: Mapping[str, Provider]
    file: Path | None
    """The providers file that was named."""
    own: bool
    """Whether some of it exists in this process alone: no other process can make the plan."""

    @property
    def again(self) -> stored.Replan:
        """Makes plans from them."""
        return stored.replanner(self.catalog, self.providers)


def sources(
    providers: Providers, endpoints: Sequence[Who] = (), own: Sequence[Own] = (), only: Sequence[str] = ()
) -> Sources:
    """The tasks of this folder, those shipped and ``own``; the providers, and those of endpoints that are objects.

    ``only`` as for ``catalog.discover``. Raises ConfigError for the providers file, TaskError for a task file or an
    object with a wrong field.
    """
    found = catalog.discover(only=only)
    found.add(*own)
    file = Path(providers) if isinstance(providers, str | Path) else None
    known = dict(providers) if isinstance(providers, Mapping) else config.load_providers(file)
    given = {one.provider.id: one.provider for one in endpoints if isinstance(one, Endpoint)}
    return Sources(found, known | given, file, bool(own or given or isinstance(providers, Mapping)))


def ids(endpoints: Who | Sequence[Who]) -> tuple[str, ...]:
    """``provider/model`` of each, once."""
    return tuple(dict.fromkeys(one.id if isinstance(one, Endpoint) else one for one in several(endpoints)))


def several(endpoints: Who | Sequence[Who]) -> Sequence[Who]:
    """One endpoint or several, as several."""
    return (endpoints,) if isinstance(endpoints, str | Endpoint) else endpoints


def scored_by(scorer: Scorer, words: Sequence[str], about: Mapping[str, Any], found: Catalog) -> list[str]:
    """Have the tasks and data files of these words scored by another scorer; gives their names, each with its limit."""
    names = []
    for word in words:
        is_file = word.partition(":")[0] not in found.tasks and file_named(word.rpartition(":")[0] or word) is not None
        meant = asked((word,), found, {**about, "scorer": _ANY} if is_file else {})
        name = meant.tasks[0].partition(":")[0]
        task = task_of(meant.files[0]) if meant.files else found.task(name)
        found.add(replace(task, scorer=scorer))
        names.append(meant.tasks[0])
    return names
