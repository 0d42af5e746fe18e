"""What a load generator under test is: where its version lives, how it is started, how its result files are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import NotHereError, call, fill_python, once
from truth import Shape

PROMPT_TOKENS = 32


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
        root = once(f"{self.name}-{self.version}", self.packages, self._fill)
        return Place(root / "bin", root / "tokenizer")

    def _fill(self, root: Path) -> None:
        fill_python(root, self.packages, torch=self.torch, least=self.python)
        call([root / "bin" / "python", Path(__file__).with_name("tokenizer.py"), root / "tokenizer"])


def load(path: Path) -> Any:
    """A JSON file; NotHereError when the run left none."""
    if not path.is_file():
        raise NotHereError(f"left no {path.name}")
    return json.loads(path.read_text())
