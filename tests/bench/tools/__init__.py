"""What a load generator under test is: where its version lives, how it is started, how its result files are read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truth import Shape

CACHE = Path.home() / ".cache" / "endpoint-harness-bench"
PROMPT_TOKENS = 32


class NotHereError(Exception):
    """This tool cannot be installed or started on this machine; the text is the reason."""


@dataclass(frozen=True)
class Work:
    """One thing every tool is asked to do: so many streams at once, or so many a second."""

    name: str
    requests: int
    tokens: int
    concurrency: int = 1
    rate: float | None = None
    """Open loop, evenly spaced; None: closed loop."""
    shape: Shape = Shape()  # noqa: RUF009 - frozen
    timeout_s: float = 300.0
    memory: bool = False
    only: tuple[str, ...] = ()
    """Tools that do it; empty: all but those that must be named."""
    tls: bool = False


@dataclass(frozen=True)
class Reading:
    """What a tool says of its run: milliseconds by metric and quantile, such as ``("ttft", 0.99)``."""

    n_ok: int
    n_failed: int
    ms: Mapping[tuple[str, float], float]
    """``itl`` over every gap, or ``itl_mean`` over requests where the tool knows no single gap."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed requests by the tool's own word for them."""


@dataclass(frozen=True)
class Place:
    """Where a tool runs: its environment, and a tokenizer it can load offline (None: it needs none)."""

    bin: Path
    tokenizer: Path | None


@dataclass(frozen=True)
class Tool:
    """One load generator."""

    name: str
    version: str
    command: Callable[[Work, str, Path, Place], Sequence[str | Path]]
    """``command(work, root, folder, place)``: the command line; files it needs are written into the folder."""
    read: Callable[[Path], Reading]
    """Reads what the run left in the folder."""
    packages: tuple[str, ...] = ()
    """What is installed into its own environment; empty: it runs in ours."""
    torch: str | None = None
    """Version installed by pip beforehand: pip sees a local CPU build that the machine may offer, uv does not."""
    python: tuple[int, int] = (3, 11)
    environment: Mapping[str, str] = field(default_factory=lambda: {"HF_HUB_OFFLINE": "1"})
    even: bool = True
    """Whether it can send at an even rate; False: Poisson only, so that a slip cannot be told."""
    path: str = "/v1"
    named_only: bool = False
    """Part of those works alone that name it."""

    def install(self) -> Place:
        """Its environment, made on first use; NotHereError where that fails."""
        if not self.packages:
            return Place(Path(sys.executable).parent, None)
        root = Path(os.environ.get("HARNESS_BENCH_ENVS", CACHE)) / f"{self.name}-{self.version}"
        place = Place(root / "bin", root / "tokenizer")
        if not (root / "installed").is_file():
            shutil.rmtree(root, ignore_errors=True)
            _make(root, self)
            _call([place.bin / "python", Path(__file__).with_name("tokenizer.py"), root / "tokenizer"])
            (root / "installed").write_text(" ".join(self.packages))
        return place


def _make(root: Path, tool: Tool) -> None:
    """A virtual environment with the tool in it."""
    _call([_interpreter(tool.python), "-m", "venv", root])
    python = root / "bin" / "python"
    if tool.torch:
        _call([python, "-m", "pip", "install", "--quiet", f"torch=={tool.torch}"])
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    install = [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
    _call([*install, *tool.packages])


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


def _call(command: Sequence[str | Path | None]) -> None:
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise NotHereError(f"cannot be installed: {words[-1] if words else done.returncode}")


def load(path: Path) -> Any:
    """A JSON file; NotHereError when the run left none."""
    if not path.is_file():
        raise NotHereError(f"left no {path.name}")
    return json.loads(path.read_text())
