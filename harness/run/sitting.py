"""One sitting of a run: start the servers it needs, carry out its plan, judge, seal, publish.

A run may take several sittings (``harness resume``); each continues exactly what its plan still lacks.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from harness import __version__, config, engines
from harness.catalog import Catalog
from harness.errors import CannotMeasure, StoreError, UsageError
from harness.folder import SCHEMA_VERSION, RunFolder, create, write_atomic
from harness.journal import Journal, read_attempts
from harness.prices import price_of
from harness.run.judge import cancelled, judge
from harness.run.limits import retry_delay_s
from harness.run.plan import Plan, Selection, Stage, make, sha256
from harness.run.runner import Budget, Runner, Tally, Watcher, closing
from harness.store.index import publish
from harness.store.seal import seal
from harness.types import Endpoint, JsonObject, Provider, RunStatus
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


def start(
    selection: Selection,
    *,
    catalog: Catalog,
    providers: Mapping[str, Provider],
    results: Path,
    watcher: Watcher,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    announce: Callable[[str], None] = lambda _: None,
) -> Sitting:
    """Plan a selection, make its run folder, and carry it out.

    Args:
        selection: what is asked of whom.
        catalog: where tasks, probes and loads are found.
        providers: as loaded from ``providers.yaml``.
        results: the results folder.
        watcher: told of every attempt.
        budget: when to stop asking.
        announce: told in one line what is being waited for before the first request.

    Raises:
        HarnessError: the selection, a key or a server is wrong (nothing was written or sent), or the results
            folder cannot be written (what was acknowledged is safe).
    """
    endpoints = [config.endpoint(providers, name) for name in dict.fromkeys(selection.endpoints)]
    plan = make(selection, catalog, endpoints)
    keys = keys_of(endpoints)
    folder = create(results, selection.suite)
    lines = plan.lines()
    write_atomic(folder.plan_path, lines)
    folder.write_manifest(_manifest(folder, plan, lines))
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
    """
    plan = replan(folder, catalog=catalog, providers=providers)
    done, tried = _progress(folder)
    rest = plan.without(done)
    keys = keys_of([plan.endpoints[name] for name in plan.endpoints])
    return _sit(folder, plan, rest, _Company(keys, watcher, budget, announce, tried))


def replan(folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider]) -> Plan:
    """The plan of an existing run, made anew and proved equal to the stored one by its hash."""
    manifest = folder.read_manifest()
    selection = Selection.from_json(manifest["selection"])
    plan = make(selection, catalog, [config.endpoint(providers, name) for name in selection.endpoints])
    lines = plan.lines()
    if sha256(lines) != manifest["plan_sha256"]:
        raise UsageError(
            f"run {manifest['id']} cannot be continued: its plan has changed ({_first_change(folder, lines)})",
            hint="Bring back the tasks and providers it was made with, or start a new run",
        )
    return plan


def keys_of(endpoints: Sequence[Endpoint]) -> dict[str, str | None]:
    """The key of every provider, by provider id; all missing ones are named at once.

    Raises:
        CannotMeasure: an environment variable that should hold a key is not set.
    """
    keys: dict[str, str | None] = {}
    missing: list[CannotMeasure] = []
    for provider in {endpoint.provider.id: endpoint.provider for endpoint in endpoints}.values():
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
        return f"{len(before)} requests then, {len(now)} now"
    changed = next(i for i, (old, new) in enumerate(zip(before, now, strict=True), 1) if old != new)
    return f"first at line {changed} of plan.jsonl"


def rejudge(folder: RunFolder, *, catalog: Catalog, providers: Mapping[str, Provider]) -> None:
    """Judge a run again with today's scorers and probes, seal and publish it; nothing is sent."""
    plan = replan(folder, catalog=catalog, providers=providers)
    with folder.lock():
        _seal(folder, plan, folder.read_manifest()["status"])
    publish(folder.root.parent.parent)


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
    tally = Tally()
    with folder.lock():
        try:
            with ExitStack() as stack:
                base_urls = _serve(stack, rest, folder, company.announce)
                journal = stack.enter_context(_journal(folder, company.keys))
                status, tally = _carry_out(rest.served_at(base_urls), journal, company)
        finally:
            failing = sys.exception() is not None
            company.announce("sealing")
            # On a full disk the sealing fails as well: the first error is the one to tell.
            with suppress(StoreError) if failing else nullcontext():
                _seal(folder, plan, status)
                publish(folder.root.parent.parent)
    return Sitting(folder, tally, status)


def _carry_out(plan: Plan, journal: Journal, company: _Company) -> tuple[RunStatus, Tally]:
    prices = {name: price_of(endpoint) for name, endpoint in plan.endpoints.items()}
    providers = {endpoint.provider.id: endpoint.provider for endpoint in plan.endpoints.values()}

    async def main() -> tuple[RunStatus, Tally]:
        pool = Pool()
        clients = {name: Client(provider, pool, key=company.keys[name]) for name, provider in providers.items()}
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
    asked = {
        plan.endpoints[name].provider.id: plan.endpoints[name].provider for name in {j.endpoint for j in plan.jobs}
    }
    for provider in asked.values():
        if provider.serve is None:
            continue
        announce(f"starting {provider.serve.engine} for {provider.id}")
        running = engines.start(provider.serve, log_dir=folder.root)
        stack.callback(running.stop)
        base_urls[provider.id] = running.base_url
        versions[provider.id] = running.version
    manifest = folder.read_manifest()
    for row in manifest["endpoints"]:
        row["base_url"] = base_urls.get(row["provider"], row["base_url"])
        row["engine_version"] = versions.get(row["provider"], row["engine_version"])
    folder.write_manifest(manifest)
    return base_urls


def _seal(folder: RunFolder, plan: Plan, status: RunStatus) -> None:
    """Judge and seal what is there, whatever the sitting's end was."""
    judge(folder, plan)
    manifest = folder.read_manifest()
    manifest["status"] = status
    manifest["finished_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    folder.write_manifest(manifest)
    seal(folder)


def _manifest(folder: RunFolder, plan: Plan, lines: bytes) -> JsonObject:
    return {
        "schema_version": SCHEMA_VERSION,
        "id": folder.root.name,
        "status": "running",
        "suite": plan.selection.suite,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "finished_at": None,
        "seed": plan.selection.seed,
        "planned": sum(1 for _ in plan.jobs),
        "selection": asdict(plan.selection),
        "plan_sha256": sha256(lines),
        "harness_version": __version__,
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "os": platform.platform(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
        "endpoints": [_endpoint_json(endpoint) for endpoint in plan.endpoints.values()],
        "tasks": [_task_json(plan, name) for name in plan.tasks],
        "loads": [_load_json(plan, name) for name in plan.loads],
        "probes": {"profile": plan.selection.probes, "ids": [probe.id for probe in plan.probes]}
        if plan.probes
        else None,
    }


def _endpoint_json(endpoint: Endpoint) -> JsonObject:
    price, provider = price_of(endpoint), endpoint.provider
    return {
        "id": endpoint.id,
        "provider": provider.id,
        "kind": provider.kind,
        "model": endpoint.model,
        "model_id": endpoint.model_id,
        "base_url": provider.base_url,
        "engine": provider.serve.engine if provider.serve else None,
        "engine_version": None,
        "price": asdict(price) if price else None,
    }


def _task_json(plan: Plan, name: str) -> JsonObject:
    task = plan.tasks[name]
    return {
        "name": name,
        "version": task.version,
        "kind": task.kind,
        "scorer": task.scorer.name,
        "scorer_version": task.scorer.version,
        "n": sum(1 for task_name, _ in plan.samples if task_name == name),
    }


def _load_json(plan: Plan, name: str) -> JsonObject:
    load = plan.loads[name]
    levels = [{"stage": s.name, "law": s.law.label, "n": len(s.lanes[0])} for s in _stages_of(plan, name)]
    return {"name": name, "version": load.version, "slo": asdict(load.slo), "levels": levels}


def _stages_of(plan: Plan, load: str) -> list[Stage]:
    return [
        stage for stage in plan.stages if stage.name.startswith(f"load.{load}@") and not stage.name.endswith(".warmup")
    ]
