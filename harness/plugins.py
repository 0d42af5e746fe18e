"""What installed packages add to the tool: entry points, imported when they are used and not before.

A package adds something under ``[project.entry-points."endpoint_harness.GROUP"]`` of its ``pyproject.toml``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, get_args

from harness.errors import HarnessError, TaskError

Group = Literal["tasks", "loads", "probes", "scorers", "engines", "executors", "reports"]
GROUPS: tuple[Group, ...] = get_args(Group)


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
            raise self._unusable(error) from None

    def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """What a function of the package gives; TaskError, in one line with its name, when it fails."""
        try:
            return function(*given)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody's package may raise anything
            raise self._unusable(error) from None

    def _unusable(self, error: BaseException) -> TaskError:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return TaskError(f"{self.label} cannot be used: {reason}", hint="Mend or uninstall the package")


def plugins(group: Group) -> dict[str, Plugin]:
    """The plug-ins of a group by name; of two of one name the first on Python's path."""
    found: dict[str, Plugin] = {}
    for entry in entry_points(group=f"endpoint_harness.{group}"):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
        found.setdefault(entry.name, Plugin(entry.name, package, entry))
    return found
