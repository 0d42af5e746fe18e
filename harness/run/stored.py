"""The plan of a run folder: made anew and proved equal, how far it came, and how what was measured lengthens it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import NamedTuple

from harness import config
from harness.catalog import Catalog
from harness.conformance.capture import Capture
from harness.errors import UsageError
from harness.provider import Provider
from harness.record.folder import RunFolder, write_atomic
from harness.record.journal import read_attempts
from harness.record.versions import plan_as_stored
from harness.run import differing, manifest, session
from harness.run.admission.breaker import given_up
from harness.run.planning.judging import answer_of
from harness.run.planning.plan import Plan, make, sha256
from harness.run.scoring.judge import cancelled
from harness.run.selecting.selection import Selection
from harness.run.tally import Before
from harness.types import JsonObject
from harness.wire.understand import understand

Replan = Callable[[Selection], Plan]
"""Makes the plan of a selection, a new one or a changed one, always from the same tasks and providers."""


class Progress(NamedTuple):
    """How far a run came."""

    done: frozenset[str]
    """Ids of the jobs that need nothing more."""
    before: Before


def replanner(catalog: Catalog, providers: Mapping[str, Provider]) -> Replan:
    """Makes plans from these tasks and providers."""

    def again(selection: Selection) -> Plan:
        endpoints, judges = (
            [config.endpoint(providers, name) for name in names] for names in (selection.endpoints, selection.judges)
        )
        return make(selection, catalog, endpoints, judges)

    return again


def replan(folder: RunFolder, again: Replan) -> Plan:
    """The plan of an existing run, made anew and proved equal to the stored one by its hash.

    Raises:
        UsageError: today's tasks or data give another plan; says what is different.
    """
    stored = folder.read_manifest()
    plan = again(Selection.from_json(stored["selection"]))
    lines = stored_lines(plan, stored)
    if lines is None:
        raise UsageError(
            f"the plan of run {folder.id} is no longer what it was: {_changes(folder, stored, plan)}",
            hint="Bring back the tasks and data it was made with, or start a new run",
        )
    return plan


def progress(folder: RunFolder, plan: Plan) -> Progress:
    """What the journals of a run say of its plan."""
    turns = {name for job in plan.jobs if job.turn for name in session.earlier_turns(job)}
    done: set[str] = set()
    tried: dict[str, int] = {}
    said: dict[str, JsonObject] = {}
    answered: dict[str, Capture] = {}
    answers: dict[str, str] = {}
    unjudged: set[str] = set()
    for attempt in read_attempts(folder):
        job = attempt.job
        tried[job.id] = attempt.number + 1
        outcome = understand(attempt)
        open_still = cancelled(attempt) or given_up(attempt.exchange.failure)
        if not open_still and plan.retry_delay_s(attempt, outcome) is None:
            done.add(job.id)
        if job.id in turns and outcome.ok and outcome.completion is not None:
            said[job.id] = session.answer(outcome.completion)
        if job.kind == "probe" and job.sample in plan.followed and job.id in done:
            answered[job.id] = Capture(attempt, outcome)
        if job.id in plan.answers and outcome.ok and outcome.completion is not None:
            answers[job.id] = answer_of(outcome.completion)
        if job.kind == "judge":
            (unjudged.discard if outcome.ok else unjudged.add)(job.id)
    # A judge is no object of measurement: where it failed, and has something to judge, it is asked again.
    done -= {name for name in unjudged if name in plan.matters and plan.matters[name].answered(answers)}
    return Progress(frozenset(done), Before(tried, said, answered, answers))


def lengthen(folder: RunFolder, selection: Selection, again: Replan) -> Plan:
    """Let a selection that asks for more take the place of a run's own, on disk too; gives the whole plan then."""
    longer = again(selection)
    lines = longer.lines()
    write_atomic(folder.plan_path, lines)
    stored = folder.read_manifest()
    folder.write_manifest(
        stored
        | {
            "selection": asdict(selection),
            "plan_sha256": sha256(lines),
            "planned": sum(1 for _ in longer.jobs),
            "loads": manifest.loads_json(longer),
        }
    )
    return longer


def stored_lines(plan: Plan, stored: JsonObject) -> bytes | None:
    """The lines of a plan in the version that a manifest names by its hash; None: it names another plan."""
    lines = plan.lines()
    forms = (lines, plan_as_stored(lines, b""))
    return next((form for form in forms if sha256(form) == stored["plan_sha256"]), None)


def mend_plan(folder: RunFolder, plan: Plan) -> None:
    """Put back a ``plan.jsonl`` that is missing or damaged; the manifest proves what was in it.

    Errors: StoreError when the disk refuses.
    """
    stored = folder.read_manifest()
    try:
        kept = folder.plan_path.read_bytes()
    except OSError:
        kept = b""
    if sha256(kept) != stored["plan_sha256"] and (lines := stored_lines(plan, stored)) is not None:
        write_atomic(folder.plan_path, lines)


def _changes(folder: RunFolder, stored: JsonObject, plan: Plan) -> str:
    """What is different: tasks that have another version, then the first request that asks something else."""
    return "; ".join([*differing.tasks(stored, plan), _first_change(folder, plan.lines())])


def _first_change(folder: RunFolder, lines: bytes) -> str:
    try:
        before = [json.loads(line) for line in folder.plan_path.read_bytes().splitlines()]
    except (OSError, ValueError):
        return "its requests are others"
    now = [json.loads(line) for line in lines.splitlines()]
    if len(before) != len(now):
        return f"it had {len(before)} requests and now has {len(now)}"
    for old, new in zip(before, now, strict=True):
        if old["id"] != new["id"]:
            return f"where it had {old['id']} it now has {new['id']}"
        if fields := [name for name in sorted(old | new) if name != "v" and old.get(name) != new.get(name)]:
            told = ", ".join(f"{name} {_short(old.get(name))} -> {_short(new.get(name))}" for name in fields)
            return f"{old['id']} asks something else ({told})"
    return "its plan.jsonl is not the one that its run.json names"


def _short(value: object) -> str:
    return "none" if value is None else str(value)[:8]
