"""Where the processes of a run are: on this machine, or on the nodes of a Ray cluster. Each is the same command.

Whoever conducts a run speaks to every process in JSON lines, however they travel.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from harness.errors import UnknownName
from harness.plugins import plugins
from harness.record.folder import RunFolder
from harness.types import JsonObject

KINDS = ("local", "ray", "hand")
_MAX_LINE = 1 << 20


class Spoken(Protocol):
    """One process of a run that is spoken to."""

    number: int
    log: str
    """Where one can read what it printed."""

    def tell(self, **what: object) -> None:
        """Say something; a process that is gone hears nothing."""

    def lines(self) -> AsyncIterator[JsonObject]:
        """What it says, until it is gone."""

    async def now_ns(self) -> int:
        """Its monotonic clock, read there; errors: CannotMeasure when it is gone."""

    async def gone(self) -> str:
        """Wait until it is gone; how it ended."""

    async def dismiss(self, within_s: float) -> None:
        """Tell it that nothing more comes, and wait so long until it is gone; then it is killed."""


class Executor(Protocol):
    """Starts the processes of a run."""

    @property
    def shared(self) -> bool:
        """Whether all of them are on this machine, with its clock and its disk."""

    async def start(self, folder: RunFolder, number: int, of: int) -> Spoken:
        """Start one of ``of`` processes; errors: CannotMeasure when it cannot be started."""

    async def close(self) -> None:
        """End what was started for all of them."""


class Where(NamedTuple):
    """Where a plan is carried out, and by how many."""

    kind: str = "local"
    """``hand``: whoever wants to starts the workers."""
    address: str | None = None
    """Of a cluster that there is already; None: one of our own on this machine."""
    workers: int | None = None
    """How many; None: nobody said."""
    out: str | None = None
    """Where workers on other machines write; None: in the run's folder."""

    @property
    def processes(self) -> int:
        """How many, and one where nobody said."""
        return self.workers or 1


def read(text: str) -> Where:
    """``local``, ``ray``, ``ray:ADDRESS``, ``hand``, or ``NAME`` and ``NAME:ADDRESS`` of a package's; UsageError."""
    kind, colon, address = text.partition(":")
    others = () if kind in KINDS else tuple(plugins("executors"))
    if kind not in (*KINDS, *others) or (colon and (kind in ("local", "hand") or not address)):
        raise UnknownName("executor", text, (*KINDS, "ray:ADDRESS", *others))
    return Where(kind, address or None)


def argv_of(folder: Path, number: int, of: int, providers_file: Path | None, *, apart: bool) -> Sequence[str]:
    """The command of one process that is spoken to."""
    argv = [sys.executable, "-m", "harness", "worker", "--plan", str(folder), f"--shard={number}/{of}", "--told"]
    argv += ["--apart"] if apart else []
    return argv if providers_file is None else [*argv, "--providers", str(providers_file)]


@dataclass(slots=True)
class Local:
    """Processes on this machine."""

    providers_file: Path | None
    apart: bool = False
    """Whether others of the run are on other machines."""

    @property
    def shared(self) -> bool:
        """Whether all of them are on this machine."""
        return not self.apart

    async def start(self, folder: RunFolder, number: int, of: int) -> LocalSpoken:
        """Start one of ``of`` processes."""
        log = folder.root / f"worker-{number}.log"
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *argv_of(folder.root, number, of, self.providers_file, apart=self.apart),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                limit=_MAX_LINE,
                start_new_session=True,  # an interrupt of the terminal reaches us alone, and we tell them
            )
        return LocalSpoken(number, str(log), process)

    async def close(self) -> None:
        """Nothing was started for all of them."""


@dataclass(slots=True)
class LocalSpoken:
    """One of them."""

    number: int
    log: str
    process: asyncio.subprocess.Process

    def tell(self, **what: object) -> None:
        """Say something."""
        assert self.process.stdin is not None
        if not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(what).encode() + b"\n")

    async def lines(self) -> AsyncIterator[JsonObject]:
        """What it says, until it is gone."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            yield json.loads(line)

    async def now_ns(self) -> int:
        """All processes of this machine read one clock."""
        return time.perf_counter_ns()

    async def gone(self) -> str:
        """How it ended."""
        return f"exit code {await self.process.wait()}"

    async def dismiss(self, within_s: float) -> None:
        """Close its standard input, and wait until it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(within_s):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
