"""What a check found."""

from __future__ import annotations

from typing import NamedTuple

from harness.record.folder import RunFolder, results_option


class Finding(NamedTuple):
    """One thing that is not as it should be, or that is worth knowing."""

    run: str
    """Id of the run; empty: it is of the results folder."""
    what: str
    """The file or the figure."""
    problem: str
    mend: str
    """The command that mends it; empty: none does."""
    wrong: bool
    """Whether something is damaged or contradicts itself; otherwise it is only worth knowing."""


def command(what: str, folder: RunFolder) -> str:
    """What a person types to have something done to a run, such as ``score``."""
    return f"harness {what} {folder.id}{results_option(folder.root.parent.parent)}"
