"""What a run is told, may spend, and keeps count of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.conformance.capture import Capture
from harness.exchange import Outcome
from harness.run.stages import Stage
from harness.types import Attempt, JsonObject


class Watcher(Protocol):
    """What wants to hear how the run goes; it must be quick, for it is called on the event loop."""

    def planned(self, jobs: int) -> None:
        """So many more jobs are to be carried out."""

    def stage(self, stage: Stage) -> None:
        """A stage begins."""

    def counted(self, jobs: int, again: int, failures: Mapping[str, int]) -> None:
        """Other processes of this run ended so many jobs and tries, with so many failures of each kind."""

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt was journalled; ``again``: its job will be tried once more."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop asking; None: no such bound. What is under way then is finished."""

    max_cost_usd: float | None = None
    max_duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier sittings of a run journalled, as far as the rest of it needs to know."""

    tried: Mapping[str, int] = field(default_factory=dict)
    """Attempts by job id."""
    said: Mapping[str, JsonObject] = field(default_factory=dict)
    """Answers, in the form of ``session.answer``, to the earlier turns of sessions that go on, by job id."""
    answered: Mapping[str, Capture] = field(default_factory=dict)
    """Answers to probes' scenarios whose followers are still to be asked, by job id."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Texts of the answers that judges are shown, by job id."""


@dataclass(slots=True)
class Tally:
    """What has happened so far."""

    jobs: int = 0
    failed: int = 0
    """Jobs whose last attempt failed."""
    attempts: int = 0
    cost_usd: float = 0.0
    """Of the attempts whose cost is known."""
    stopped: str | None = None
    """Why the run ended before its plan; None: it did not."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How this process fared in one part of a stage."""

    stage: str
    endpoints: tuple[str, ...]
    began_ns: int
    ended_ns: int
    cpu_ns: int
    """CPU time of the process."""
    reads: int
    """Reads that held body bytes."""
    in_flight_max: int
    """Most requests under way at once."""
    released: int
    """Arrivals that were waited for."""
    late: int
    """Of these, released more than 1 ms after their time."""
    caught_up: int
    """Of these, released more than 10 ms after their time, in a burst that nobody planned."""
    late_max_ns: int
