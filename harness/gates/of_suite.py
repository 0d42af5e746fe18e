"""The gate that a suite names or holds."""

from __future__ import annotations

import functools
from pathlib import Path

from harness import config
from harness.gates import file as gate_file
from harness.gates.terms import GateFile
from harness.types import Suite


def gate_of(suite: Suite) -> GateFile | None:
    """The gate of a suite, read from its own file where it names one; None: it has none. ConfigError as for a gate.

    Baselines and acceptances lie beside the suite; of one that ships with the tool they lie where the user works.
    """
    if suite.gate is None:
        return None
    file = suite.file.resolve()
    folder = Path.cwd() if file.is_relative_to(config.shipped("tasks").resolve()) else file.parent
    if isinstance(suite.gate, str):
        return gate_file.read(suite.file.parent / suite.gate)
    place = functools.partial(suite.place, "gate")
    shown = suite.place("gate").partition(": ")[0]
    return gate_file.of_mapping(suite.gate, file=shown, folder=folder, place=place)
