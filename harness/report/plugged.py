"""Everything that installed packages add, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness import engines
from harness.catalog import Catalog
from harness.errors import TaskError
from harness.plugins import GROUPS, Group, Plugin, plugins
from harness.report import formats
from harness.run.workers import executors
from harness.scorers import by_name


class Plugged(NamedTuple):
    """One plug-in."""

    group: Group
    name: str
    package: str
    """Name and version."""
    problem: str | None
    """Why it cannot be used, in one line; None: it can."""


def plugged() -> list[Plugged]:
    """All plug-ins by group and name; each is loaded to see whether it can be used."""
    return [
        Plugged(group, plugin.name, plugin.package, _problem(group, plugin))
        for group in GROUPS
        for plugin in sorted(plugins(group).values(), key=lambda one: one.name)
    ]


def _problem(group: Group, plugin: Plugin) -> str | None:
    try:
        _GIVEN[group](plugin)
    except TaskError as error:
        return str(error)
    return None


_GIVEN: Mapping[Group, Callable[[Plugin], Any]] = {
    "tasks": lambda plugin: Catalog().plug_in("tasks", plugin),
    "loads": lambda plugin: Catalog().plug_in("loads", plugin),
    "probes": lambda plugin: Catalog().plug_in("probes", plugin),
    "scorers": by_name.given,
    "engines": engines.given,
    "executors": executors.given,
    "reports": formats.given,
}
"""What takes in a plug-in of each group; TaskError where it is none."""
