"""One sitting of a run: start the servers it needs, carry out its plan, judge, seal, publish.

A run may take several sittings (``harness resume``); each continues exactly what its plan still lacks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.config.keys import keys_of
from harness.errors import HarnessError, Interrupted, UsageError
from harness.exchange import Failure
from harness.provider import Provider
from harness.record.folder import RunFolder, create, results_option, write_atomic
from harness.record.journal import Journal
from harness.run import differing, full, manifest, stored
from harness.run.conduct import Company, Conducted, asked, conduct
from harness.run.hidden_logs import hide_in_logs
from harness.run.observers import neighbours, wall
from harness.run.observers.calibrate import calibrate
from harness.run.planning import seek
from harness.run.planning.disk import refuse_no_room
from harness.run.planning.plan import Plan
from harness.run.planning.second_looks import second_looks
from harness.run.scoring.judge import barren, judge
from harness.run.scoring.scoring import Watch, unwatched
from harness.run.servers import Servers, serving
from harness.run.tally import Tally
from harness.run.workers import shards
from harness.run.workers.crew import Crew
from harness.stats.validity import clock_moved
from harness.store import texts
from harness.store.checksums import refuse_changed
from harness.store.index import publish
from harness.store.ready import Ready
from harness.store.seal import Sealing
from harness.types import JsonObject, RunStatus
from harness.wire.loop import run as run_loop

_WORTH_CALIBRATING = 5_000
"""Chunks of a run from which on it is worth some seconds to know what this client can do."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """How one sitting ended."""

    folder: RunFolder
    tally: Tally
    status: RunStatus
    barren: Failure | None
    """The commonest failure, where nothing could be measured in the whole run; None: something was."""
    crashed: str | None = None
    """Which server that was started for the run ended by itself, how, and its last words; None: none did."""


def start(plan: Plan, *, results: Path, company: Company, again: stored.Replan | None = None) -> Sitting:
    """Make the run folder of a plan, and carry it out.

    Args:
        plan: what is asked of whom.
        results: the results folder.
        company: who watches, what may be spent, how many processes.
        again: makes the plan of a changed selection; None: nothing that is measured changes it.

    Raises:
        ConfigError: a key is missing; nothing was written.
        CannotMeasure: a cloud gives no token, or a server does not start; nothing was sent.
        StoreError: the results folder cannot be written or is too full, and nothing was sent; or it became so, and
            what was acknowledged is safe.
    """
    company = replace(company, keys=keys_of(asked(plan), company.secrets))
    lines = plan.lines()
    _see_room(results, plan, company)
    for line in neighbours.lines(results, {one.base_url for one in asked(plan) if one.base_url is not None}):
        company.watcher.told(line)
    folder = create(results, plan.selection.suite)
    with folder.lock(), full.told(folder):
        write_atomic(folder.plan_path, lines)
        folder.write_manifest(manifest.first(folder, plan, lines))
        del lines  # of a hundred thousand requests it is 25 MB, and the run is long
        return _Run(folder, plan, company, again).sit(frozenset())


def resume(folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider], company: Company) -> Sitting:
    """Finish a run that was broken off: exactly the planned jobs that have no final attempt yet.

    Raises:
        UsageError: plan, configuration, data or scorers are not those it was begun with; says what differs.
        StoreError: another process is at it, or the folder cannot be written.
    """
    again = stored.replanner(catalog, providers)
    plan = stored.replan(folder, again)
    _refuse_changed(folder, plan)
    # What is done is read under the lock: it must not grow between reading and sending.
    with folder.lock(), full.told(folder):
        refuse_changed(folder, folder.read_manifest())
        stored.mend_plan(folder, plan)
        done, before = stored.progress(folder, plan)
        rest = plan.without(done)
        company = replace(company, keys=keys_of(asked(rest), company.secrets), before=before)
        _see_room(folder.root.parent.parent, rest, company)
        return _Run(folder, plan, company, again).sit(done)


def _see_room(results: Path, plan: Plan, company: Company) -> None:
    if (line := refuse_no_room(results, plan)) is not None:
        company.watcher.told(line)


def _refuse_changed(folder: RunFolder, plan: Plan) -> None:
    """A run that goes on with other endpoints, data or scorers would be two runs in one folder."""
    told = folder.read_manifest()
    changed = [
        one
        for row in manifest.asked_of(told)
        for one in differing.endpoint(row["id"], row, manifest.configured(plan.endpoints[row["id"]]))
    ]
    changed += differing.tasks(told, plan)
    if changed:
        raise UsageError(
            f"run {folder.id} cannot be continued: {differing.in_words(changed)}",
            hint="Bring back the providers.yaml and tasks it was made with, or start a new run",
        )


def rejudge(
    folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider], watch: Watch = unwatched
) -> None:
    """Judge a run again with today's scorers and probes, seal and publish it; nothing is sent.

    Interrupted when the user breaks it off; the scores are then what they were before.
    """
    plan = stored.replan(folder, stored.replanner(catalog, providers))
    with folder.lock():
        status = folder.read_manifest()["status"]
        # Nobody writes it, for we hold its lock: whoever did was killed.
        conclude(folder, plan, None, watch, status="interrupted" if status == "running" else status)


class _Run:
    """A run folder under our lock, its plan, and who carries it out."""

    def __init__(self, folder: RunFolder, plan: Plan, company: Company, again: stored.Replan | None) -> None:
        self._folder = folder
        self._plan = plan
        self._company = company
        self._again = again
        self._base_urls: Mapping[str, str] = {}
        self._anchor = wall.Anchor()

    def sit(self, done: frozenset[str]) -> Sitting:
        """Carry out the plan less the jobs that are ``done``; whatever the end, what was journalled is sealed."""
        status: RunStatus = "failed"
        tally, barren, crashed = Tally(), None, None
        told: JsonObject = {}
        ready: Ready | None = None
        try:
            rest = self._plan.without(done)
            with serving(asked(rest), self._folder.root, self._company.announce) as servers:
                self._note(servers)
                self._company = replace(self._company, look=servers.look)
                conducted = self._carry_out(rest.served_at(self._base_urls))
                crashed, tally = servers.crashed, conducted.tally
                status = conducted.status if crashed is None else "failed"
                told = self._told(conducted)
                ready = conducted.ready
        except KeyboardInterrupt:
            # Before the first request or after the last; in between it is an event of the loop.
            status = "interrupted"
        finally:
            failing = sys.exception() is not None
            if (jump_s := self._anchor.jump_s()) is not None:
                told["clock_jump_s"] = jump_s
                self._company.watcher.told(clock_moved(jump_s))
            self._company.announce("sealing")
            # On a full disk the sealing fails as well: the first error is the one to tell.
            with suppress(HarnessError) if failing else nullcontext():
                ended = datetime.now(UTC).isoformat(timespec="milliseconds")
                watch = self._company.judging
                hide_in_logs(self._folder.root)
                barren = conclude(self._folder, self._plan, ready, watch, status=status, finished_at=ended, **told)
                keep = self._plan.selection.store_text
                if status == "finished" and keep != "all":
                    texts.purge(self._folder, keep)
                    publish(self._folder.root.parent.parent)
        return Sitting(self._folder, tally, status, barren, crashed)

    def _carry_out(self, rest: Plan) -> Conducted:
        company, folder = self._company, self._folder
        try:
            if company.workers > 1 or company.executor is not None:
                return run_loop(Crew(folder, company).conduct(rest, self._onward))
            with _journal(folder, company.secrets) as journal:
                return run_loop(conduct(rest, folder, journal, company, self._onward))
        except BaseExceptionGroup as group:
            first = _first(group)
            raise first from first.__cause__

    def _onward(self) -> Plan | None:
        """What a search wants to know next, and what the probes want to see again."""
        if self._again is None:
            return None
        longer = seek.onward(self._folder, self._plan, self._again) or second_looks(
            self._folder, self._plan, self._again
        )
        if longer is None:
            return None
        before, self._plan = frozenset(job.id for job in self._plan.jobs), longer
        return longer.without(before).served_at(self._base_urls)

    def _told(self, conducted: Conducted) -> JsonObject:
        """What the manifest says of how it went."""
        facts = self._folder.read_manifest().get("facts", []) + [asdict(one) for one in conducted.facts]
        told: JsonObject = {"facts": facts, "unscraped": dict(conducted.problems)}
        if conducted.shards:
            told["shards"] = shards.rows(self._folder.read_manifest(), conducted.shards, self._anchor)
        if self._plan.selection.search is not None:
            told["search"] = seek.found(self._folder, self._plan)
        if conducted.tally.stopped is None and (load := _to_calibrate(facts, self._company.calibrate)):
            self._company.announce("calibrating this client on the simulator")
            told["calibration"] = asdict(calibrate(concurrency=load[0], chunks_per_s=load[1]))
        return told

    def _note(self, servers: Servers) -> None:
        """Keep where the servers are that were started for this sitting, and their versions."""
        self._base_urls = servers.base_urls
        manifest_now = self._folder.read_manifest()
        for row in manifest.asked_of(manifest_now):
            row["base_url"] = servers.base_urls.get(row["provider"], row["base_url"])
            row["engine_version"] = servers.versions.get(row["provider"], row["engine_version"])
        self._folder.write_manifest(manifest_now)


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error that ended all tasks of a group: its siblings only report that they were stopped."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _to_calibrate(facts: Sequence[JsonObject], wanted: bool | None) -> tuple[int, float] | None:  # noqa: FBT001
    """Streams at once and chunks per second of the part that came fastest; None: nothing to calibrate for."""
    timed = [one for one in facts if one["stage"].startswith("load.") and one["reads"]]
    if wanted is False or not timed or (wanted is None and sum(one["reads"] for one in timed) < _WORTH_CALIBRATING):
        return None
    rate, fastest = max(
        ((one["reads"] * 1e9 / (one["ended_ns"] - one["began_ns"]), one) for one in timed), key=lambda pair: pair[0]
    )
    return fastest["in_flight_max"], rate


@contextmanager
def _journal(folder: RunFolder, secrets: Sequence[str]) -> Iterator[Journal]:
    journal = Journal(folder, secrets=secrets)
    try:
        yield journal
    finally:
        journal.close()


def conclude(
    folder: RunFolder, plan: Plan, ready: Ready | None, watch: Watch = unwatched, **changes: Any
) -> Failure | None:
    """Judge, seal and publish what is there; a scorer that fails costs the scores, not the record.

    ``ready`` are the rows of all attempts; None: they are made from the journals. Interrupted when the user does not
    wait for the judging: what was asked is sealed, and ``rejudge`` gives the scores.
    """
    try:
        with ExitStack() as stack:
            stack.callback(publish, folder.root.parent.parent)
            sealing = stack.enter_context(Sealing(folder, ready))
            folder.write_manifest(folder.read_manifest() | changes)
            found = judge(folder, plan, sealing.outcomes(), watch)
            return found if ready is None else barren((), ready.failures)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted while run {folder.id} was judged; what it asked is kept",
            hint=f"Judge it with harness score {folder.id}{results_option(folder.root.parent.parent)}",
        ) from None
