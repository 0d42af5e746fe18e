"""One run of the shards that workers left at a place: looked on while they work, and ended when they have ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.errors import CannotMeasure
from harness.place import Place
from harness.record.folder import RunFolder
from harness.run.observers import wall
from harness.run.planning.plan import Plan
from harness.run.scoring.scoring import Watch
from harness.run.sitting import Sitting, conclude
from harness.run.tally import Tally, Watcher
from harness.run.workers import parcels, shards
from harness.run.workers.meeting import STOP, states
from harness.run.workers.shards import Shard
from harness.types import JsonObject, RunStatus

SILENT_S = 15.0
"""A worker says something every two seconds; one that has not for so long is shown as silent."""
_ENDED = ("done", "stopped")


@dataclass(slots=True)
class Gathering:
    """The workers of a run as they are seen from their place."""

    place: Place
    watcher: Watcher
    of: int = 0
    states: Mapping[int, JsonObject] = field(default_factory=dict)
    _counted: Counter[int] = field(default_factory=Counter)
    _failures: Counter[str] = field(default_factory=Counter)
    _heard_ns: dict[int, tuple[str, int]] = field(default_factory=dict)
    """By shard: the last it said, and when that was seen here."""
    _silent: set[int] = field(default_factory=set)
    _began_ns: int = field(default_factory=time.perf_counter_ns)
    _nobody: bool = False
    """Whether it was told that none of them has been heard of."""

    def look(self) -> None:
        """See how far they are, and show it."""
        self.states = states(self.place)
        now_ns = time.perf_counter_ns()
        if not self.states and not self._nobody and (now_ns - self._began_ns) / 1e9 > SILENT_S:
            self._nobody = True
            self.watcher.told(f"no worker has written at {self.place.shown} yet; is that their place (--from)?")
        failures: Counter[str] = Counter()
        for shard, state in self.states.items():
            self.of = state["of"]
            failures.update(state.get("failures") or {})
            jobs = state["jobs"] - self._counted[shard]
            self._counted[shard] = state["jobs"]
            if jobs > 0:
                self.watcher.counted(jobs, 0, {})
            said = state.get("said", "")
            if shard not in self._heard_ns or self._heard_ns[shard][0] != said:
                self._heard_ns[shard] = (said, now_ns)
                self._silent.discard(shard)
            self._tell_silence(shard, state, now_ns)
        if new := failures - self._failures:
            self.watcher.counted(0, 0, new)
        self._failures = failures

    @property
    def ended(self) -> bool:
        """Whether all of them have ended."""
        return bool(self.states) and all(self.states.get(shard, {}).get("phase") in _ENDED for shard in range(self.of))

    def stop(self) -> None:
        """Tell all of them to end what is under way, and to ask nothing more."""
        self.place.create(STOP, b"\n", lambda _: None)

    def _tell_silence(self, shard: int, state: JsonObject, now_ns: int) -> None:
        silent_s = (now_ns - self._heard_ns[shard][1]) / 1e9
        if state["phase"] not in _ENDED and silent_s > SILENT_S and shard not in self._silent:
            self._silent.add(shard)
            host = state.get("host", "?")
            self.watcher.told(
                f"shard {shard} on {host} has said nothing for {silent_s:.0f} s; the same command goes on"
            )


def end(folder: RunFolder, plan: Plan, gathering: Gathering, watch: Watch, announce: Callable[[str], None]) -> Sitting:
    """Judge, seal and publish what the workers journalled; a shard that did not come to its end makes it ``partial``.

    Raises:
        CannotMeasure: no worker has said anything.
    """
    if not gathering.states:
        raise CannotMeasure(f"no worker of run {folder.id} has written at {gathering.place.shown}")
    with folder.lock():
        announce("gathering")
        parcels.bring(folder, gathering.place)
        told = folder.read_manifest()
        made = [_shard(number, gathering) for number in range(gathering.of)]
        stopped = any(state["phase"] == "stopped" for state in gathering.states.values())
        status: RunStatus = "interrupted" if stopped else "partial" if any(one.lost for one in made) else "finished"
        facts = [fact for state in gathering.states.values() for fact in state["facts"]]
        announce("sealing")
        barren = conclude(
            *(folder, plan, None, watch),
            status=status,
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            shards=shards.rows({**told, "shards": []}, made, wall.Anchor()),
            facts=facts,
            unscraped={},
        )
    tally = Tally(stopped="told to stop" if stopped else None)
    for state in gathering.states.values():
        tally.plus(Tally(**state.get("tally") or {}))
    return Sitting(folder, tally, status, barren)


def _shard(number: int, gathering: Gathering) -> Shard:
    state = gathering.states.get(number)
    if state is None:
        return Shard(number, gathering.of, lost="it never came")
    known = {name: state[name] for name in ("host", "pid", "session", "clock") if name in state}
    lost = None if state["phase"] in _ENDED else state.get("lost") or f"it was last heard of while {state['phase']}"
    if lost is None and state["missed"]:
        lost = f"{state['missed']} of its requests were due while it was away"
    return Shard(number, gathering.of, **known, lost=lost, lost_at=None if lost is None else state.get("said"))


def noted(folder: RunFolder, place: str) -> None:
    """Remember where the shards will be. Errors: StoreError."""
    folder.write_manifest(folder.read_manifest() | {"handed_out": place})
