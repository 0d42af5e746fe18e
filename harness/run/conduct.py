"""Carries out plans in this process: one event loop, its connections, its vital signs, and what ends it early."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.prices import price_of
from harness.provider import Endpoint, Provider
from harness.record.folder import RunFolder
from harness.record.journal import Journal
from harness.run.admission.cache import Answers
from harness.run.bell import Bell
from harness.run.observers.scrape import Scraper, metrics_url
from harness.run.observers.vitals import Vitals, quiet_gc
from harness.run.planning.plan import Plan
from harness.run.runner import Runner, closing
from harness.run.scoring.scoring import Watch, unwatched
from harness.run.tally import Before, Budget, Facts, Tally, Watcher
from harness.run.workers.executor import Executor
from harness.run.workers.shards import Shard
from harness.secrets.credentials import Credentials
from harness.store.ready import Ready
from harness.types import RunStatus
from harness.wire.loop import allow_open_files
from harness.wire.pool import Pool
from harness.wire.transport import Client, load_sdk

_OPEN_FILES = 65_536
"""More streams than one process can carry."""
GRACE_S = 30.0
"""What is under way when a run is told to stop may take so long to end."""
_LOOK_EVERY_S = 0.05
"""So soon it is noticed that a server has ended."""
OWN_KINDS = ("local", "simulated")
"""Kinds of servers that are asked for their metrics without being told to."""

STOPPING = "waiting for what is under way; interrupt again to break it off"
BROKEN_OFF = "the run was stopped while this request was under way"

Onward = Callable[[], Plan | None]
"""Asked when a plan is through: what follows from what was measured; None: nothing."""


@dataclass(frozen=True, slots=True)
class Company:
    """What a run needs besides its plan."""

    watcher: Watcher
    budget: Budget = field(default_factory=Budget)
    announce: Callable[[str], None] = lambda _: None
    """Told in one line what is waited for."""
    judging: Watch = unwatched
    """Hears how the judging comes on."""
    keys: Mapping[str, Credentials] = field(default_factory=dict)
    """By provider id; read from the environment, or had from a cloud, when a sitting begins."""
    secrets: list[str] = field(default_factory=list)
    """What must not be stored; grows with each token."""
    before: Before = field(default_factory=Before)
    workers: int = 1
    """Processes that carry out the plan."""
    executor: Executor | None = None
    """Where those are; None: this process is enough, or several are started on this machine."""
    providers_file: Path | None = None
    """As the user named it, for those processes."""
    calibrate: bool | None = None
    """Whether this machine is tried against the simulator after a load; None: where the load was large enough."""
    scrape: bool = True
    """Whether servers of one's own are asked for their metrics during a load."""
    cache: bool = False
    """Whether answers of earlier runs to the same requests are taken, and those of this run kept."""
    look: Callable[[], str | None] = lambda: None
    """Which of the servers that were started has ended by itself, in one line; None: all run."""
    bell: Bell | None = None
    """Interrupts it where it is carried out in a thread of its own; None: in the main thread, where signals arrive."""


@dataclass(frozen=True, slots=True)
class Conducted:
    """How it went."""

    status: RunStatus
    tally: Tally
    facts: tuple[Facts, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why a server's own metrics are missing, by endpoint."""
    ready: Ready | None = None
    """The rows of all attempts of the run; None: they are to be made from its journals."""
    shards: Sequence[Shard] = ()
    """The processes that carried it out; none: this one."""


def asked(plan: Plan) -> list[Provider]:
    """The providers that the plan's jobs are sent to, each once, in the plan's order."""
    names = dict.fromkeys(job.endpoint for job in plan.jobs) or plan.endpoints
    providers = (plan.endpoints[name].provider for name in names)
    return list({provider.id: provider for provider in providers}.values())


async def conduct(plan: Plan, folder: RunFolder, journal: Journal, company: Company, onward: Onward) -> Conducted:
    """Carry out a plan and what follows from it.

    The first interrupt lets what is under way end, the second breaks it off.
    """
    if plan.probes or any(one.signer for one in company.keys.values()):
        load_sdk()  # takes a second, which nobody's first request is to wait for
    pool = Pool()
    clients = clients_of(plan, pool, company.keys)
    prices = {name: price_of(endpoint) for name, endpoint in plan.endpoints.items()}
    runner = Runner(plan, clients, journal, company.watcher, prices, company.budget, company.before)
    if plan.loads and not plan.tasks and not plan.probes and journal.session.session == 1:
        naming = {name: endpoint.provider.quirks.naming for name, endpoint in plan.endpoints.items()}
        runner.ready = Ready(folder.id, journal.session, prices, naming)
    scraper = Scraper(targets(plan.endpoints.values()), folder.server_path)
    async with (
        closing(clients, pool),
        interruptible(lambda: _stop(runner, company.announce), lambda: pool.abort(BROKEN_OFF), company.bell),
        watched(company.look, runner.stop),
        observed(runner, plan, folder, 0),
        scraped(scraper if plan.loads and company.scrape else None),
        answered(runner, company),
    ):
        tally = await runner.run(plan)
        while tally.stopped is None and (more := await asyncio.to_thread(onward)) is not None:
            tally = await runner.run(more)
    status: RunStatus = "interrupted" if tally.stopped else "finished"
    ready = runner.ready if runner.ready is not None and runner.ready.whole(journal.appended) else None
    return Conducted(status, tally, tuple(runner.facts), scraper.problems, ready)


def clients_of(plan: Plan, pool: Pool, keys: Mapping[str, Credentials]) -> dict[str, Client]:
    """The client of each endpoint whose provider has its key here, and as many connections as the system allows.

    Endpoints of one provider share one, unless the model is part of its address.
    """
    allow_open_files(_OPEN_FILES)
    made: dict[tuple[str, str | None], Client] = {}
    clients = {}
    for name, endpoint in plan.endpoints.items():
        provider = endpoint.provider
        if provider.id not in keys:
            continue
        place = (provider.id, provider.base_url)
        if place not in made:
            made[place] = Client(provider, pool, key=keys[provider.id])
        clients[name] = made[place]
    return clients


def targets(endpoints: Iterable[Endpoint]) -> dict[str, str]:
    """Where to scrape: what is told in the providers file, and servers of one's own."""
    found = {}
    for endpoint in endpoints:
        provider = endpoint.provider
        if provider.metrics_url:
            found[endpoint.id] = provider.metrics_url
        elif provider.kind in OWN_KINDS and provider.base_url:
            found[endpoint.id] = metrics_url(provider.base_url)
    return found


@asynccontextmanager
async def observed(runner: Runner, plan: Plan, folder: RunFolder, shard: int) -> AsyncIterator[None]:
    """Watch over this process while it loads: its loop's lag, its processor time, no pause of the collector."""
    if not plan.loads:
        yield
        return
    vitals = Vitals(folder.vitals_path(shard), asyncio.get_running_loop())
    vitals.start()
    try:
        with quiet_gc() as collect:

            def settle() -> None:
                collect()
                vitals.cut()

            runner.settle = settle
            yield
    finally:
        vitals.stop()


@asynccontextmanager
async def answered(runner: Runner, company: Company) -> AsyncIterator[None]:
    """Have answers of earlier runs at hand, where the user wants so."""
    if not company.cache:
        yield
        return
    runner.answers = Answers(company.watcher.told)
    try:
        yield
    finally:
        runner.answers.close()


@asynccontextmanager
async def scraped(scraper: Scraper | None) -> AsyncIterator[None]:
    """Ask the servers for their own figures meanwhile."""
    if scraper is None:
        yield
        return
    task = asyncio.create_task(scraper.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def watched(look: Callable[[], str | None], stop: Callable[[str], None]) -> AsyncIterator[None]:
    """Stop as soon as a server that was started for the run has ended by itself: what is left would all fail."""

    async def watch() -> None:
        while (why := look()) is None:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(_LOOK_EVERY_S)
        stop(why)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if (why := look()) is not None:  # with the last request
            stop(why)


@asynccontextmanager
async def interruptible(
    stop: Callable[[], bool], break_off: Callable[[], None], bell: Bell | None = None
) -> AsyncIterator[None]:
    """SIGINT and SIGTERM: once, ``stop``; twice, or where that has taken ``GRACE_S``, ``break_off``.

    ``stop`` tells whether it was the first to stop. ``bell`` takes the place of signals; None: they arrive.
    """
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def interrupt() -> None:
        if stop():
            timers.append(loop.call_later(GRACE_S, break_off))
        else:
            break_off()

    def rung() -> None:
        loop.call_soon_threadsafe(interrupt)

    try:
        with _signals(loop, interrupt) if bell is None else bell.answered(rung):
            yield
    finally:
        for timer in timers:
            timer.cancel()


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, interrupt: Callable[[], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _stop(runner: Runner, announce: Callable[[str], None]) -> bool:
    if runner.tally.stopped is not None:
        return False
    announce(STOPPING)
    runner.stop("interrupted")
    return True
