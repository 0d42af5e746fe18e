"""What installed packages add to the tool: entry points, imported when they are used and not before.

A package adds scorers under ``[project.entry-points."endpoint_harness.scorers"]`` and tasks under
``"endpoint_harness.tasks"`` of its ``pyproject.toml``.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple

from harness.errors import TaskError

Group = Literal["scorers", "tasks"]


class Plugin(NamedTuple):
    """One entry point of an installed package."""

    name: str
    package: str
    """Name and version of the package."""
    entry: EntryPoint

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"plug-in {self.name!r} of {self.package}"

    def load(self) -> Any:
        """What it gives; TaskError, in one line with its name, when it cannot be imported."""
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody's package may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise TaskError(f"{self.label} cannot be used: {reason}", hint="Mend or uninstall the package") from None


def plugins(group: Group) -> dict[str, Plugin]:
    """The plug-ins of a group by name; of two of one name the first on Python's path."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=f"endpoint_harness.{group}"):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
        found.setdefault(entry.name, Plugin(entry.name, package, entry))
    return found
