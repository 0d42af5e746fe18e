"""Reading a gate: a YAML file of its own, or a mapping inside another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.config.file import read_document
from harness.errors import ConfigError
from harness.gates.schema import EMPTY, Problems, understand
from harness.gates.terms import GateFile


def read(path: Path) -> GateFile:
    """The gate of a file, or the one that stands under ``gate:`` in the file of a suite.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong: ``file:line: field: what is wrong``.
    """

    def meaning(document: object) -> GateFile | Problems:
        inside = isinstance(document, dict) and isinstance(document.get("gate"), dict)
        found = understand(document["gate"] if inside else document, str(path), path.resolve().parent)  # type: ignore[index]
        return [(("gate", *where), words) for where, words in found] if inside and isinstance(found, list) else found

    return read_document(path, meaning, empty=EMPTY)


def of_mapping(value: object, *, file: str, folder: Path, place: Callable[..., str]) -> GateFile:
    """The gate that another file holds as a mapping.

    Args:
        value: plain values, as YAML gives them.
        file: how the gate is called in messages.
        folder: where the paths in it begin.
        place: ``place("gates", 0)`` is ``file:line: field`` of what the gate says there.

    Raises:
        ConfigError: something in it is wrong, at its place.
    """
    found = understand(value, file, folder)
    if isinstance(found, GateFile):
        return found
    where, words = next((one for one in found if one[1].startswith("unknown field")), found[0])
    raise ConfigError(f"{place(*where)}: {words}")
