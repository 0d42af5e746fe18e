"""One sitting of a run: start the servers it needs, carry out its plan, judge, seal, publish.

A run may take several sittings (``harness resume``); each continues exactly what its plan still lacks.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import config, engines
from harness.catalog import Catalog
from harness.errors import CannotMeasure, HarnessError, UsageError
from harness.folder import RunFolder, create, write_atomic
from harness.journal import Journal, read_attempts
from harness.prices import price_of
from harness.run import manifest
from harness.run.judge import cancelled, judge
from harness.run.limits import retry_delay_s
from harness.run.plan import Plan, Selection, make, sha256
from harness.run.runner import Budget, Runner, Tally, Watcher, closing
from harness.store.index import publish
from harness.store.seal import seal
from harness.types import Failure, Provider, RunStatus
from harness.wire.assemble import assemble
from harness.wire.loop import run as run_loop
from harness.wire.pool import Pool
from harness.wire.transport import Client


@dataclass(frozen=True, slots=True)
class Sitting:
    """How one sitting ended."""

    folder: RunFolder
    tally: Tally
    status: RunStatus
    barren: Failure | None
    """The commonest failure, where nothing could be measured in the whole run; None: something was."""


def start(
    plan: Plan,
    *,
    results: Path,
    watcher: Watcher,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    announce: Callable[[str], None] = lambda _: None,
) -> Sitting:
    """Make the run folder of a plan, and carry it out.

    Args:
        plan: what is asked of whom.
        results: the results folder.
        watcher: told of every attempt.
        budget: when to stop asking.
        announce: told in one line what is being waited for before the first request.

    Raises:
        CannotMeasure: a key is missing (nothing was written), or a server does not start (nothing was sent).
        StoreError: the results folder cannot be written; what was acknowledged is safe.
    """
    keys = keys_of(asked(plan))
    lines = plan.lines()
    folder = create(results, plan.selection.suite)
    with folder.lock():
        write_atomic(folder.plan_path, lines)
        folder.write_manifest(manifest.first(folder, plan, lines))
        return _sit(folder, plan, plan, _Company(keys, watcher, budget, announce, tried={}))


def resume(
    folder: RunFolder,
    *,
    catalog: Catalog,
    providers: Mapping[str, Provider],
    watcher: Watcher,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    announce: Callable[[str], None] = lambda _: None,
) -> Sitting:
    """Finish a run that was broken off: exactly the planned jobs that have no final attempt yet.

    Raises:
        UsageError: the plan made from today's tasks and providers is not the one that was broken off.
        StoreError: another process is at it, or the folder cannot be written.
    """
    plan = replan(folder, catalog=catalog, providers=providers)
    for row in folder.read_manifest()["endpoints"]:
        if row["config_sha256"] != manifest.config_sha256(plan.endpoints[row["id"]]):
            raise UsageError(
                f"run {folder.id} cannot be continued: {row['id']} now has another address, model id, key or quirk",
                hint="Bring back the providers.yaml it was made with, or start a new run",
            )
    # What is done is read under the lock: it must not grow between reading and sending.
    with folder.lock():
        done, tried = _progress(folder)
        rest = plan.without(done)
        return _sit(folder, plan, rest, _Company(keys_of(asked(rest)), watcher, budget, announce, tried))


def replan(folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider]) -> Plan:
    """The plan of an existing run, made anew and proved equal to the stored one by its hash."""
    stored = folder.read_manifest()
    selection = Selection.from_json(stored["selection"])
    plan = make(selection, catalog, [config.endpoint(providers, name) for name in selection.endpoints])
    lines = plan.lines()
    if sha256(lines) != stored["plan_sha256"]:
        raise UsageError(
            f"the plan of run {folder.id} is no longer what it was: {_first_change(folder, lines)}",
            hint="Bring back the tasks and data it was made with, or start a new run",
        )
    return plan


def asked(plan: Plan) -> list[Provider]:
    """The providers that the plan's jobs are sent to, each once, in the plan's order."""
    names = dict.fromkeys(job.endpoint for job in plan.jobs)
    providers = (plan.endpoints[name].provider for name in names)
    return list({provider.id: provider for provider in providers}.values())


def keys_of(providers: Iterable[Provider]) -> dict[str, str | None]:
    """The key of every provider, by provider id; all missing ones are named at once.

    Raises:
        CannotMeasure: an environment variable that should hold a key is not set.
    """
    keys: dict[str, str | None] = {}
    missing: list[CannotMeasure] = []
    for provider in providers:
        try:
            keys[provider.id] = config.api_key(provider)
        except CannotMeasure as error:
            missing.append(error)
    if len(missing) == 1:
        raise missing[0]
    if missing:
        raise CannotMeasure("; ".join(error.what for error in missing), hint=missing[0].hint)
    return keys


def _progress(folder: RunFolder) -> tuple[frozenset[str], dict[str, int]]:
    """Jobs that need nothing more, and how many attempts each job has had."""
    done: set[str] = set()
    tried: dict[str, int] = {}
    for attempt in read_attempts(folder):
        job = attempt.job
        tried[job.id] = attempt.number + 1
        outcome = assemble(attempt.exchange, stream=attempt.request.stream)
        again = outcome.failure is not None and retry_delay_s(job, attempt.number, outcome.failure) is not None
        if not cancelled(attempt) and not again:
            done.add(job.id)
    return frozenset(done), tried


def _first_change(folder: RunFolder, lines: bytes) -> str:
    before, now = folder.plan_path.read_bytes().splitlines(), lines.splitlines()
    if len(before) != len(now):
        return f"it had {len(before)} requests and now has {len(now)}"
    old, new = next((old, new) for old, new in zip(before, now, strict=True) if old != new)
    was, is_now = (json.loads(line)["id"] for line in (old, new))
    return f"{was} asks something else" if was == is_now else f"where it had {was} it now has {is_now}"


def rejudge(folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider]) -> None:
    """Judge a run again with today's scorers and probes, seal and publish it; nothing is sent."""
    plan = replan(folder, catalog=catalog, providers=providers)
    with folder.lock():
        status = folder.read_manifest()["status"]
        # Nobody writes it, for we hold its lock: whoever did was killed.
        _conclude(folder, plan, status="interrupted" if status == "running" else status)


@dataclass(frozen=True, slots=True)
class _Company:
    """What every sitting needs besides its plan."""

    keys: Mapping[str, str | None]
    watcher: Watcher
    budget: Budget
    announce: Callable[[str], None]
    tried: Mapping[str, int]


def _sit(folder: RunFolder, plan: Plan, rest: Plan, company: _Company) -> Sitting:
    """Carry out ``rest`` of a run's plan; whatever the end, what was journalled is judged, sealed and published."""
    status: RunStatus = "failed"
    tally, barren = Tally(), None
    try:
        with ExitStack() as stack:
            base_urls = _serve(stack, rest, folder, company.announce)
            journal = stack.enter_context(_journal(folder, company.keys))
            status, tally = _carry_out(rest.served_at(base_urls), journal, company)
    except KeyboardInterrupt:
        # Before the first request or after the last; in between it is an event of the loop.
        status = "interrupted"
    finally:
        failing = sys.exception() is not None
        company.announce("sealing")
        # On a full disk the sealing fails as well: the first error is the one to tell.
        with suppress(HarnessError) if failing else nullcontext():
            ended = datetime.now(UTC).isoformat(timespec="milliseconds")
            barren = _conclude(folder, plan, status=status, finished_at=ended)
    return Sitting(folder, tally, status, barren)


def _carry_out(plan: Plan, journal: Journal, company: _Company) -> tuple[RunStatus, Tally]:
    prices = {name: price_of(endpoint) for name, endpoint in plan.endpoints.items()}
    providers = asked(plan)

    async def main() -> tuple[RunStatus, Tally]:
        pool = Pool()
        clients = {one.id: Client(one, pool, key=company.keys[one.id]) for one in providers}
        runner = Runner(plan, clients, journal, company.watcher, prices, company.budget, company.tried)
        async with closing(clients, pool):
            running = asyncio.ensure_future(runner.run())
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
            try:
                tally = await running
            except asyncio.CancelledError:
                return "interrupted", runner.tally
            except BaseExceptionGroup as group:
                raise _first(group) from None
        return ("interrupted" if tally.stopped else "finished"), tally

    return run_loop(main())


def _first(group: BaseExceptionGroup) -> BaseException:
    """The error that ended all tasks of a group: its siblings only report that they were stopped."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@contextmanager
def _journal(folder: RunFolder, keys: Mapping[str, str | None]) -> Iterator[Journal]:
    journal = Journal(folder, secrets=[key for key in keys.values() if key])
    try:
        yield journal
    finally:
        journal.close()


def _serve(stack: ExitStack, plan: Plan, folder: RunFolder, announce: Callable[[str], None]) -> dict[str, str]:
    """Start the servers that the plan's jobs need and note their versions; they stop with the stack."""
    base_urls: dict[str, str] = {}
    versions: dict[str, str] = {}
    for provider in asked(plan):
        if provider.serve is None:
            continue
        announce(f"starting {provider.serve.engine} for {provider.id}")
        running = engines.start(provider.serve, log_dir=folder.root)
        stack.callback(running.stop)
        base_urls[provider.id] = running.base_url
        versions[provider.id] = running.version
    stored = folder.read_manifest()
    for row in stored["endpoints"]:
        row["base_url"] = base_urls.get(row["provider"], row["base_url"])
        row["engine_version"] = versions.get(row["provider"], row["engine_version"])
    folder.write_manifest(stored)
    return base_urls


def _conclude(folder: RunFolder, plan: Plan, **changes: Any) -> Failure | None:
    """Judge, seal and publish what is there; a scorer that fails costs the scores, not the record."""
    with ExitStack() as stack:
        stack.callback(publish, folder.root.parent.parent)
        stack.callback(seal, folder)
        folder.write_manifest(folder.read_manifest() | changes)
        return judge(folder, plan)
