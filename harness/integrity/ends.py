"""Whether each planned request of a run ends in exactly one way, as its journals say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from harness.exchange import Outcome
from harness.integrity.finding import Finding, command
from harness.record.folder import RunFolder
from harness.record.versions import row_of
from harness.run.admission.breaker import given_up
from harness.run.scoring.judge import cancelled
from harness.types import Attempt, JsonObject


@dataclass(slots=True)
class _End:
    """What the journals say of one request."""

    tries: set[int] = field(default_factory=set)
    ended: bool = False
    """Whether its last attempt is one that ends it: neither broken off by us nor given up unasked."""
    answered: int = 0
    """Attempts that were good."""


class Ends:
    """The ends of the requests of one run."""

    def __init__(self, folder: RunFolder, manifest: JsonObject) -> None:
        self._folder = folder
        self._manifest = manifest
        self._jobs: dict[str, _End] = {}
        self._twice: list[str] = []

    def add(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take in an attempt, in the order written."""
        end = self._jobs.setdefault(attempt.job.id, _End())
        if attempt.number in end.tries:
            self._twice.append(f"{attempt.job.id} number {attempt.number}")
        end.tries.add(attempt.number)
        end.ended = not (cancelled(attempt) or given_up(attempt.exchange.failure))
        end.answered += outcome.ok

    def findings(self, *, planned: bool = True) -> Iterator[Finding]:
        """What is wrong; where not ``planned``, the plan cannot be read and nothing is said of it."""
        for one in self._twice:
            yield self._wrong(f"attempt {one} stands there twice")
        for name, end in self._jobs.items():
            if end.answered > 1:
                yield self._wrong(f"request {name} has {end.answered} good answers")
            if len(end.tries) != max(end.tries) + 1:
                yield self._wrong(f"an attempt of request {name} is lost: the last has number {max(end.tries)}")
        if planned:
            yield from self._against_plan()

    def _wrong(self, problem: str) -> Finding:
        return Finding(self._folder.id, "journals", problem, "", wrong=True)

    def _against_plan(self) -> Iterator[Finding]:
        timed = _by_the_clock(self._manifest)
        stages: dict[str, str] = {}
        for line in self._folder.plan_path.read_bytes().splitlines():
            row = row_of(orjson.loads(line))
            stages[row["id"]] = row["stage"]
        for name in self._jobs.keys() - stages.keys():
            yield self._wrong(f"request {name} was never planned")
        open_still = [name for name, of in stages.items() if not self._ended(name) and not timed.get(of, False)]
        if not open_still:
            return
        finished = self._manifest.get("status") == "finished"
        lost = [name for name in open_still if name not in self._jobs]
        said = f"{len(open_still)} of {len(stages)} planned requests have no end yet, {open_still[0]} among them"
        yield Finding(self._folder.id, "journals", said, command("resume", self._folder), wrong=bool(finished and lost))

    def _ended(self, name: str) -> bool:
        return name in self._jobs and self._jobs[name].ended


def _by_the_clock(manifest: JsonObject) -> Mapping[str, bool]:
    """Stages that end by the clock: what is planned of them is the most there can be."""
    levels = [level for load in manifest.get("loads") or () for level in load.get("levels") or ()]
    return {level["stage"]: level.get("duration_s") is not None for level in levels if "stage" in level}
