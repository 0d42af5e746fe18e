"""How providers speak by their own documents: a YAML file for each preset, of the same name, and what speaks by it."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UnknownName

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The dialects that ship with the tool."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a shipped dialect; UnknownName with the nearest ones."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise UnknownName("dialect", name, names())
    return path
