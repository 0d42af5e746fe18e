"""What an evaluation tool under test is: where its version lives, how it is started, how its result files are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import NotHereError, fill_node, fill_python, once
from truth import Shape

CONCURRENCY, TOKENS = 64, 16
LEFT = "left"
"""The folder inside a run's own that holds all that the tool keeps; its size is what the tool wrote."""


@dataclass(frozen=True)
class EvalWork:
    """One thing every tool is asked to do: so many questions, once each, 64 at a time, each answer a number or not."""

    name: str
    requests: int
    """Questions; a tool that tries again sends more."""
    faults: Mapping[str, float] = field(default_factory=dict)
    """Shares of requests in percent, spoilt by the simulator."""
    stubborn: bool = False
    """The tool is told, by options of its own, to try again where it would not."""
    only: tuple[str, ...] = ()
    """Tools that do it; empty: all."""
    asked_only: bool = False
    """Done only where it is named."""
    timeout_s: float = 600.0

    @property
    def shape(self) -> Shape:
        """No delays, answers of 16 tokens whatever is asked."""
        return Shape(tokens=TOKENS, limited=False, faults=self.faults)


@dataclass(frozen=True)
class Question:
    """One question as it is sent, by every tool alike, and the number that would be right."""

    id: str
    prompt: str
    target: str


@dataclass(frozen=True)
class Questions:
    """What is asked in one run, as objects and as the file they came from."""

    each: Sequence[Question]
    source: Path
    """GSM8K rows with columns ``question`` and ``answer``, repeated where more are wanted than there are."""


@dataclass(frozen=True)
class Scored:
    """What a tool says of its run."""

    n_scored: int
    """Samples that have a score."""
    n_failed: int
    """Samples that it names as failed."""


@dataclass(frozen=True)
class EvalTool:
    """One evaluation tool."""

    name: str
    version: str
    command: Callable[[EvalWork, str, Questions, Path, Path], Sequence[str | Path]]
    """``command(work, root, questions, folder, bin)``: the command line; what it needs is written into the folder."""
    read: Callable[[Path], Scored]
    """Reads what the run left in the folder."""
    packages: tuple[str, ...] = ()
    """What is installed into its own environment; empty: it runs in ours."""
    node: bool = False
    """The packages are Node's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    stubborn: str = ""
    """Its options that make it try again, in words; empty: it has none, or needs none."""
    named_only: bool = False

    def install(self) -> Path:
        """The folder of its programs, made on first use; NotHereError where that fails."""
        if not self.packages:
            return Path(sys.executable).parent
        root = once(f"{self.name.replace(' ', '-')}-{self.version}", self.packages, self._fill)
        return root / "node_modules" if self.node else root / "bin"

    def _fill(self, root: Path) -> None:
        if self.node:
            fill_node(root, self.packages)
        else:
            fill_python(root, self.packages, torch=None, least=(3, 11))


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """The file, with one line of JSON for each row."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def newest(folder: Path, pattern: str) -> Path:
    """The last file of that pattern in what the tool left; NotHereError when there is none."""
    found = sorted((folder / LEFT).rglob(pattern))
    if not found:
        raise NotHereError(f"left no {pattern}")
    return found[-1]
