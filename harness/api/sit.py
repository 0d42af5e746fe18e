"""Carrying out a plan, and finishing one that was broken off.

A run measures on an event loop of its own, in a thread: the caller's loop, of a notebook too, goes on and is no part of
what is timed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.api.planned import Planned
from harness.api.ran import Run
from harness.api.sources import Own, Providers, Sources, sources
from harness.errors import UsageError
from harness.record.folder import open_run
from harness.report.ended import problem_of
from harness.report.progress import Progress
from harness.report.summary import terminal
from harness.report.summary.adapted import lines as adapted_lines
from harness.run import sitting
from harness.run.bell import Bell
from harness.run.conduct import Company
from harness.run.planning.adaptations import adaptations
from harness.run.planning.plan import Plan
from harness.run.planning.refused import refuse, refuse_load
from harness.run.sitting import Sitting
from harness.run.tally import Budget
from harness.run.workers import crew, executors
from harness.run.workers.executor import Where, read
from harness.scorers.permission import code_allowed


async def run(
    plan: Planned,
    *,
    results: str | Path = "results",
    max_cost: float | None = None,
    max_total_tokens: int | None = None,
    max_requests: int | None = None,
    max_duration: float | None = None,
    cache: bool = False,
    workers: int | None = None,
    executor: str = "local",
    out: str | None = None,
    calibrate: bool | None = None,
    scrape: bool = True,
    allow_code_exec: bool = False,
    progress: bool | None = None,
) -> Run:
    """Carry out a plan; in a script ``asyncio.run(harness.run(plan))``, in a notebook ``await harness.run(plan)``.

    Cancelling it (Ctrl-C, the stop button of a notebook) lets what is under way end and seals what is there; cancelling
    it twice breaks that off.

    Args:
        plan: of ``harness.plan``. Carried out once more it asks the same, with another text before its load prompts.
        results: the results folder.
        max_cost: USD that are never exceeded; None: no such bound, as of the three that follow.
        max_total_tokens: of prompts and answers.
        max_requests: a plan with more is refused, and no more are sent, retries included.
        max_duration: seconds after which nothing more is asked.
        cache: take answers that earlier runs got to the very same requests.
        workers: processes that ask; None: as many as a load needs, and one where something of the plan is an object of
            this process.
        executor: where they are, as ``--executor`` says it, but for ``hand``.
        out: where workers on other machines write; None: in the run's folder.
        calibrate: try this client on the simulator after a load; None: where the load was large.
        scrape: ask servers of one's own for their metrics during a load.
        allow_code_exec: run programs that models wrote, in a sandbox, in this process until the run is over.
        progress: tell on stderr how it goes; None: where that is a terminal.

    Raises:
        UsageError, ConfigError: a bound cannot be kept, or a key is missing; nothing was sent.
        CannotMeasure: nothing could be measured; ``harness.open_run()`` has what there is.
        StoreError: the results folder cannot be written.
    """
    budget = Budget(max_cost, max_duration, max_requests, max_total_tokens)
    asked = plan.take(max_requests)
    where = _where(plan, asked, workers, executor)._replace(out=out)
    made = executors.made(where, plan.sources.file)
    refuse(asked, budget, cache=cache, alone=made is None)
    if plan.kind == "load":
        refuse_load(asked, budget)
    folder = Path(results)
    again = plan.sources.again if plan.kind in ("load", "probe") else None

    def sit(company: Company) -> Sitting:
        return sitting.start(asked, results=folder, company=company, again=again)

    wanted = {"workers": where.processes, "executor": made, "providers_file": plan.sources.file}
    wanted |= {"calibrate": calibrate, "scrape": scrape, "cache": cache}
    told = [*plan.sources.catalog.broken, *adapted_lines(adaptations(asked))]
    return await _sat(sit, plan.sources, folder, budget, wanted, told, progress=progress, code=allow_code_exec)


def _where(plan: Planned, asked: Plan, workers: int | None, executor: str) -> Where:
    """By how many processes a plan is carried out, and where; UsageError where no other process could make it."""
    if plan.sources.own and (workers not in (None, 1) or executor != "local"):
        raise UsageError("workers cannot make this plan: it holds objects of this process", hint="Leave workers out")
    several = plan.kind == "load" and not plan.sources.own
    return read(executor)._replace(workers=workers or (crew.default_workers(asked) if several else 1))


async def resume(
    run: str | Run = "latest",
    *,
    results: str | Path = "results",
    own: Sequence[Own] = (),
    providers: Providers = None,
    allow_code_exec: bool = False,
    progress: bool | None = None,
) -> Run:
    """Finish a run that was broken off: exactly the planned requests that have no final attempt yet.

    ``own`` are the tasks, loads and probes of this process that it was made with; a ``Run`` that was carried out here
    knows them. Errors as ``run``; UsageError where plan, configuration, data or scorers are not those of its beginning.
    """
    folder = run.folder if isinstance(run, Run) else open_run(Path(results), run)
    found = (run.made_from if isinstance(run, Run) else None) or sources(providers)
    found.catalog.add(*own)

    def sit(company: Company) -> Sitting:
        return sitting.resume(folder, catalog=found.catalog, providers=found.providers, company=company)

    home = folder.root.parent.parent
    wanted = {"providers_file": found.file}
    return await _sat(sit, found, home, Budget(), wanted, [], progress=progress, code=allow_code_exec)


async def _sat(
    sit: Callable[[Company], Sitting],
    made_from: Sources,
    results: Path,
    budget: Budget,
    wanted: Mapping[str, Any],
    told: list[str],
    *,
    progress: bool | None,
    code: bool,
) -> Run:
    """One sitting in a thread, with who watches it; raises what was wrong with how it ended."""
    bell = Bell()
    shown = sys.stderr.isatty() if progress is None else progress
    console = terminal.console(stderr=True) if shown else Console(quiet=True, force_terminal=False)
    with code_allowed() if code else nullcontext(), _Noted(console, told) as watcher:
        company = Company(watcher, budget, watcher.announce, watcher.judging, bell=bell, **wanted)
        sat = await _in_thread(lambda: sit(company), bell)
    if (problem := problem_of(sat, results, f"harness resume {sat.folder.id}")) is not None:
        raise problem
    return Run(sat.folder, made_from=made_from, stopped=sat.tally.stopped, notes=tuple(told))


class _Noted(Progress):
    """Keeps what a person should know."""

    def __init__(self, console: Console, notes: list[str]) -> None:
        super().__init__(console)
        self._notes = notes

    def told(self, line: str) -> None:
        """Something happened that a person should know at once."""
        super().told(line)
        self._notes.append(line)


async def _in_thread(work: Callable[[], Sitting], bell: Bell) -> Sitting:
    """Wait for the work; each time that the waiting is cancelled the bell rings, and the end is waited for."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not thread.done():
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError as error:
            cancelled = error
            bell.ring()
    sat = thread.result()
    if cancelled is not None:
        raise cancelled
    return sat
