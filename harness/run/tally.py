"""What a run is told, may spend, and keeps count of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.conformance.capture import Capture
from harness.exchange import OUR_DOING, Outcome
from harness.prices import cost_usd
from harness.provider import Price
from harness.run.planning.stages import Stage
from harness.types import Attempt, JsonObject


class Watcher(Protocol):
    """What wants to hear how the run goes; it must be quick, for it is called on the event loop."""

    def planned(self, jobs: int) -> None:
        """So many more jobs are to be carried out."""

    def follow(self, tally: Callable[[], Tally]) -> None:
        """``tally`` gives what has happened so far, whenever it is called."""

    def told(self, line: str) -> None:
        """Something that a person should know at once, in one line."""

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
    max_requests: int | None = None
    max_tokens: int | None = None
    """Prompts and answers together."""

    @property
    def time_is_up(self) -> str:
        """Why nothing more is asked once ``max_duration_s`` is over."""
        return f"--max-duration {self.max_duration_s:g} s was reached"


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
    cost_unknown: int = 0
    """Answers whose cost is not known."""
    tokens: int = 0
    """Prompts and answers, as stated by the servers."""
    cached: int = 0
    """Answers that an earlier run had paid for."""
    stopped: str | None = None
    """Why the run ended before its plan; None: it did not."""

    def add(self, attempt: Attempt, outcome: Outcome, price: Price | None, *, again: bool) -> None:
        """Count an attempt that has ended; ``again``: its job is tried once more."""
        self.attempts += 1
        if attempt.exchange.cached:
            self.cached += 1
        else:
            usage = outcome.completion.usage if outcome.completion else None
            cost = cost_usd(usage, price, attempt.exchange.headers)
            self.cost_usd += cost or 0.0
            self.cost_unknown += cost is None and (outcome.ok or usage is not None)
            if usage is not None:
                self.tokens += (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        if not again:
            self.jobs += 1
            failure = outcome.failure
            self.failed += failure is not None and failure.kind not in OUR_DOING and attempt.job.kind != "probe"

    def plus(self, other: Tally) -> None:
        """Add what another process has counted."""
        for name in ("jobs", "failed", "attempts", "cost_usd", "cost_unknown", "tokens", "cached"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


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
    renewals: tuple[tuple[int, int], ...] = ()
    """Beginning and end of each asking for another token meanwhile, which runs beside the requests."""
