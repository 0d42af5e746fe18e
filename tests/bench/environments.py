"""Environments of the tools under test: one for each, at pinned versions, outside this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path.home() / ".cache" / "endpoint-harness-bench"


class NotHereError(Exception):
    """This tool cannot be installed or started on this machine, or left no result; the text is the reason."""


def once(name: str, packages: Sequence[str], make: Callable[[Path], None]) -> Path:
    """The folder of that name, filled by ``make`` at its first use and whenever it holds other packages."""
    root = Path(os.environ.get("HARNESS_BENCH_ENVS", CACHE)) / name
    mark, wanted = root / "installed", " ".join(packages)
    if not mark.is_file() or mark.read_text() != wanted:
        shutil.rmtree(root, ignore_errors=True)
        make(root)
        mark.write_text(wanted)
    return root


def fill_python(root: Path, packages: Sequence[str], *, torch: str | None, least: tuple[int, int]) -> None:
    """A virtual environment; pip installs ``torch`` first, since it sees a CPU build that the machine may offer."""
    call([_interpreter(least), "-m", "venv", root])
    python = root / "bin" / "python"
    if torch:
        call([python, "-m", "pip", "install", "--quiet", f"torch=={torch}"])
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    install = [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
    call([*install, *packages])


def fill_node(root: Path, packages: Sequence[str]) -> None:
    """A folder of Node packages; the interpreter may be one of them."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotHereError("needs npm, and none was found")
    root.mkdir(parents=True)
    call([npm, "install", "--prefix", root, "--no-audit", "--no-fund", "--loglevel", "error", *packages])


def call(command: Sequence[str | Path | None]) -> None:
    """Run it; NotHereError with its last words where it fails."""
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise NotHereError(f"cannot be installed: {words[-1] if words else done.returncode}")


def _interpreter(least: tuple[int, int]) -> str:
    """A Python of at least that version: ours, one on the path, or one that pyenv keeps."""
    if sys.version_info >= least:
        return sys.executable
    minors = range(least[1], least[1] + 3)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in minors:
        for candidate in (f"python{least[0]}.{minor}", *sorted(pyenv.glob(f"{least[0]}.{minor}.*/bin/python"))):
            try:
                subprocess.run([candidate, "--version"], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                continue
            return str(candidate)
    raise NotHereError(f"needs Python {least[0]}.{least[1]} or newer, and none was found")
