"""A run that is judged: its endpoints, who is compared with whom, and what of it can be trusted."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from harness.errors import UnknownName, UsageError
from harness.gates.baselines import Baseline
from harness.gates.terms import Gate, GateFile
from harness.gates.trust import Trust, trust
from harness.record.folder import RunFolder, open_run, results_option
from harness.report.nights.metrics import METRICS, Reading, readings
from harness.report.summary.figures import endpoints_of
from harness.stats.gating import ALPHA, Mode
from harness.store.query import rows
from harness.types import JsonObject

_EARLIER = """
select run_id, created_at, manifest from runs
where status = 'finished' and sealed and problem is null and manifest is not null and created_at < ?
order by created_at, run_id
"""


class Earlier(NamedTuple):
    """A run that was measured to its end before."""

    id: str
    began: datetime
    """UTC without a zone."""
    manifest: JsonObject


@dataclass(frozen=True)
class Context:
    """One run under one gate."""

    results: Path
    gate: GateFile
    folder: RunFolder
    manifest: JsonObject
    names: tuple[str, ...]
    """Endpoints of the run, in its order."""
    trust: Trust
    baselines: Mapping[str, Baseline]

    @property
    def run(self) -> str:
        """Id of the run."""
        return self.folder.id

    @property
    def base(self) -> str:
        """The endpoint that others are compared with in this run."""
        return self.gate.base or self.names[0]

    @functools.cached_property
    def earlier(self) -> list[Earlier]:
        """Whole runs that began before this one, the oldest first. Errors: as ``rows``."""
        found = rows(self.results, _EARLIER, [utc(self.manifest["created_at"])])
        return [Earlier(row["run_id"], row["created_at"], json.loads(row["manifest"])) for row in found]

    def tested(self, one: Gate | None = None) -> list[str]:
        """The endpoints that a gate is about; None: those of the file."""
        named = (one.endpoints if one is not None else ()) or self.gate.endpoints
        if named:
            return list(named)
        beside = self.gate.base is not None or any(gate.mode in ("paired", "release") for gate in self.gate.gates)
        return [name for name in self.names if not beside or name != self.base]

    def alpha(self, mode: Mode) -> float:
        """Chance of a false alarm that is accepted."""
        return ALPHA[mode] if self.gate.alpha is None else self.gate.alpha

    def readings(self, gate: Gate, endpoint: str) -> list[Reading]:
        """What the run measured of a gate's metric at one endpoint, in the work that the gate is about."""
        found = readings(self.results, METRICS[gate.metric], runs=[self.run], endpoint=endpoint)
        stages = {stage.removeprefix("load.") for stage in gate.stages}
        return [
            one
            for one in found
            if (not gate.tasks or one.task in gate.tasks)
            and (not stages or (one.kind == "load" and one.place in stages))
        ]

    def again(self, *, blocks: int = 0) -> str:
        """The command that makes a run like this one once more."""
        chosen, where = self.manifest.get("selection") or {}, results_option(self.results)
        endpoints = " ".join(f"-e {name}" for name in self.names)
        suite = self.manifest.get("suite")
        if chosen.get("loads") and not chosen.get("tasks") and not chosen.get("probes"):
            repeats = f" --repeats {blocks}" if blocks else ""
            return f"harness load {suite} {endpoints}{repeats}{where}"
        named_so = "-".join(task.partition(":")[0] for task in chosen.get("tasks") or ())[:40]
        if named_so and suite == named_so and not chosen.get("loads") and not chosen.get("probes"):
            repeats = f" --repeats {chosen['repeats']}" if chosen.get("repeats", 1) > 1 else ""
            return f"harness eval {' '.join(chosen['tasks'])} {endpoints}{repeats}{where}"
        return f"harness run {suite} {endpoints}{where}"

    def gate_command(self, rest: str) -> str:
        """``harness gate`` on this file with more words behind it."""
        file = re.sub(r":\d+$", "", self.gate.file)  # one inside another file is called by its line
        return f"harness gate {shlex.quote(file)} {rest}{results_option(self.results)}"


def context(results: Path, gate: GateFile, run: str, baselines: Mapping[str, Baseline]) -> Context:
    """The run under the gate.

    Raises:
        UnknownName: there is no such run, or the gate names an endpoint that it did not ask; the nearest is told.
        UsageError: there is nothing in the run to compare with.
        StoreError: a manifest is damaged, or the database cannot be read.
    """
    folder = open_run(results, run)
    manifest = folder.read_manifest()
    names = tuple(row["id"] for row in endpoints_of(folder, manifest))
    refuse_strangers(gate, names, where=f"They are those of run {folder.id}")
    found = Context(results, gate, folder, manifest, names, trust(results, folder, manifest), baselines)
    for one in gate.gates:
        if one.mode in ("paired", "release") and found.tested(one) in ([], [found.base]):
            raise UsageError(
                f"{gate.file}: {one.mode} compares endpoints of one run, and run {folder.id} asked {', '.join(names)}",
                hint="Ask base and candidate in one run, or use mode: history",
            )
    return found


def refuse_strangers(gate: GateFile, names: Sequence[str], *, where: str = "") -> None:
    """UnknownName where the gate names an endpoint that is none of those that are asked; before a run it costs nothing.

    ``where`` says whose names they are.
    """
    for name in _named(gate):
        if name not in names:
            raise UnknownName(f"endpoint in {gate.file}", name, names, where=where)


def utc(text: str) -> datetime:
    """A moment of a manifest, UTC without a zone, as the tables have it."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)


def _named(gate: GateFile) -> Iterator[str]:
    yield from [gate.base] if gate.base is not None else []
    yield from gate.endpoints
    for one in gate.gates:
        yield from one.endpoints
