"""What a gate asks for: limits, margins, a lockfile and a budget, of which endpoints and work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.gates.quantity import Margin
from harness.stats.gating import Mode

MANY = 5
"""Margins above which a gate is warned of: with each more, every one needs a larger change to be seen."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One test: a metric against a fixed limit, or against what it is compared with."""

    metric: str
    """Name in ``harness.report.nights.metrics.METRICS``."""
    number: int
    """Place in the file from 0."""
    endpoints: tuple[str, ...] = ()
    """Endpoints under test; empty: those of the file."""
    tasks: tuple[str, ...] = ()
    """Tasks and loads; empty: all that have the metric."""
    stages: tuple[str, ...] = ()
    """Stages of loads, as in ``chat@c4``; empty: all."""
    limit: float | None = None
    """In the metric's unit; a value on the worse side of it fails. None: there is a margin."""
    margin: Margin | None = None
    mode: Mode | None = None
    """None: a fixed limit, which needs none."""


class Budget(NamedTuple):
    """What a run may take at most; None: any amount."""

    cost_usd: float | None
    requests: int | None
    duration_s: float | None


class History(NamedTuple):
    """What ``history`` compares with."""

    nights: int = 20
    """Most good nights that are looked back on."""
    confirm: bool = True
    """Whether a second run has to find the same before anything fails."""


@dataclass(frozen=True, slots=True)
class GateFile:
    """Everything that one file asks for."""

    file: str
    """As it is called in messages."""
    folder: Path
    """Where the paths in it begin."""
    base: str | None
    """Endpoint that others are compared with in one run; None: the first of the run."""
    endpoints: tuple[str, ...]
    """Endpoints under test; empty: all of the run but the base."""
    alpha: float | None
    """Chance of a false alarm of each mode; None: the mode's own."""
    history: History
    gates: tuple[Gate, ...]
    conformance: Path | None
    """Lockfile of verdicts; None: features are not looked at."""
    budget: Budget | None
    baseline: Path
    acceptances: Path
    fidelity: tuple[str, ...] = ()
    """Tests of ``harness.gates.fidelity``, or ``all`` alone; empty: answers are not compared with earlier ones."""

    @property
    def margins(self) -> list[Gate]:
        """The gates that compare."""
        return [gate for gate in self.gates if gate.margin is not None]
