"""Killed at random moments, and before a disk that refuses at every turn: nothing acknowledged is lost or doubled.

``HARNESS_CRASH=all`` has all 200 kills and every failing write; without it there are as many as a busy machine carries
out in a minute.
"""

from __future__ import annotations

import errno
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agreeing import assert_whole
from killed import PLANNED
from made import WAIT_S, Watcher, catalog, endpoint, environment, plan, sample, task

from harness.engines import Running, start
from harness.errors import StoreError
from harness.exchange import Outcome
from harness.provider import Serve
from harness.record.folder import RunFolder, list_runs
from harness.record.journal import read_attempts
from harness.run import sitting
from harness.run.conduct import Company
from harness.types import Attempt

ALL = os.environ.get("HARNESS_CRASH") == "all"
RUNS, KILLS = (64, 5) if ALL else (6, 5)
pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server that outlives all who ask it."""
    running = start(Serve("simulator", {"profile": "null", "ttft_ms": 4, "overload_503": 0.1, "retry_after_s": 0.01}))
    yield running
    running.stop()


class Zygote:
    """Where the processes come from that are killed; what it heard is of one results folder."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[tuple[str, int]] = []
        self.told: list[str] = []
        self.busy = False
        """Whether a sitting was begun whose end was not heard."""
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killed.py")), url],
            env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._in, self._out, self._buffer = self._child.stdin, self._child.stdout, b""

    def begin(self, order: str, results: Path, bound: int | None = None) -> int:
        """Have a sitting begun; the number of its process."""
        self.busy = True
        self._in.write(f"{json.dumps([order, str(results), bound])}\n".encode())
        self._in.flush()
        word, number = self.hear().split()
        assert word == "pid"
        return int(number)

    def hear(self, within_s: float = WAIT_S) -> str:
        """The next line; empty: none came in time."""
        until = time.perf_counter() + within_s
        while b"\n" not in self._buffer:
            left = until - time.perf_counter()
            if left <= 0 or not select.select([self._out], [], [], left)[0]:
                return ""
            self._buffer += os.read(self._out.fileno(), 65536)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def follow(self, *, until_word: str = "ended", count: int = 1, within_s: float = WAIT_S) -> str:
        """Take in what is said until a line begins with a word for the ``count``-th time, or the time is up."""
        end = time.perf_counter() + within_s
        while line := self.hear(max(0.0, end - time.perf_counter())):
            word, _, rest = line.partition(" ")
            if word == "ack":
                job, _, number = rest.rpartition(" ")
                self.acknowledged.append((job, int(number)))
            elif word == "told":
                self.told.append(rest)
            count -= word == until_word
            self.busy = self.busy and word != "ended"
            if word == "ended" or count == 0:
                return line
        return ""

    def close(self) -> None:
        """Let it go."""
        self._in.close()
        self._child.wait(WAIT_S)
        self._out.close()


@pytest.fixture(scope="module")
def zygotes() -> Iterator[list[Zygote]]:
    """Those that were begun; the last may serve another test."""
    begun: list[Zygote] = []
    yield begun
    for one in begun:
        one.close()


@pytest.fixture
def zygote(server: Running, zygotes: list[Zygote]) -> Zygote:
    """One with nothing under way, which has heard nothing."""
    if not zygotes or zygotes[-1].busy:
        zygotes.append(Zygote(server.base_url))
    zygotes[-1].acknowledged, zygotes[-1].told = [], []
    return zygotes[-1]


def _runs(results: Path) -> list[RunFolder]:
    """Runs that came so far that something may have been asked."""
    return [run for run in list_runs(results) if run.manifest_path.exists()]


def _next(results: Path) -> str:
    """What goes on: a run that was killed before it had a manifest has asked nothing, and another is begun."""
    return "resume" if _runs(results) else "start"


def _tries(run: RunFolder) -> list[tuple[str, int]]:
    return [(one.job.id, one.number) for one in read_attempts(run)]


def _kill(zygote: Zygote, draw: random.Random, results: Path) -> str:
    """Begin a sitting and kill it: at its start, in the middle of its requests, or while it seals and publishes."""
    process = zygote.begin(_next(results), results)
    moment = draw.choice(("start", "middle", "middle", "middle", "sealing", "sealing"))
    said = ""
    if moment == "start":
        said = zygote.follow(within_s=draw.uniform(0.0, 0.1))
    elif moment == "middle":
        said = zygote.follow(until_word="ack", count=draw.randint(1, 12))
        time.sleep(draw.uniform(0.0, 0.01))
    else:
        said = zygote.follow(until_word="sealing")
        if not said.startswith("ended"):
            said = zygote.follow(within_s=draw.random() ** 2)
    if not said.startswith("ended"):
        os.kill(process, signal.SIGKILL)
        said = zygote.follow()
    return said


@pytest.mark.parametrize("seed", range(RUNS))
def test_200_kills(seed: int, zygote: Zygote, tmp_path: Path) -> None:
    """Every acknowledged attempt is in the journal, once; at last every run is whole, and all sums agree."""
    draw = random.Random(seed if ALL else f"{seed}/{random.randrange(10**9)}")
    results = tmp_path / "results"
    kills = 0
    for _ in range(KILLS):
        said = _kill(zygote, draw, results)
        assert said in ("ended -9", "ended 0"), (said, zygote.told)
        kills += said == "ended -9"
        stored = [one for run in _runs(results) for one in _tries(run)]
        assert set(zygote.acknowledged) <= set(stored), "an acknowledged attempt is lost"
        assert len(stored) == len(set(stored)), "an attempt is doubled"
    zygote.begin(_next(results), results)
    assert zygote.follow() == "ended 0", zygote.told
    (run,) = _runs(results)
    assert set(zygote.acknowledged) <= set(_tries(run))
    assert len({job for job, _ in _tries(run)}) == PLANNED
    assert_whole(run)
    if ALL:
        print(f"seed {seed}: {kills} kills, {len(zygote.acknowledged)} acknowledged, {len(_tries(run))} journalled")


# --- a disk that takes no more ---------------------------------------------------------------------------

SIZES = [*range(0, 60_000, 1500)] if ALL else [0, 300, 9_000, 30_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_disk_that_is_full_at_any_size(size: int, zygote: Zygote, tmp_path: Path) -> None:
    """No file may grow beyond a bound: exit code 5, nothing acknowledged is lost, and more room makes the run whole."""
    results = tmp_path / "results"
    zygote.begin("start", results, size)
    assert zygote.follow() == "ended 5", zygote.told
    (told,) = zygote.told
    assert "no space left to write" in told or "cannot be built" in told, told
    for run in _runs(results):
        assert set(zygote.acknowledged) <= set(_tries(run))
        assert "bytes" in told, told
    zygote.begin(_next(results), results)
    assert zygote.follow() == "ended 0", zygote.told
    (run,) = _runs(results)
    assert set(zygote.acknowledged) <= set(_tries(run))
    assert_whole(run)


class Broken:
    """The system calls that keep what is written, of which some fail."""

    def __init__(self, results: Path, fails_at: int, number: int, *, once: bool) -> None:
        self.calls = 0
        self._results, self._at, self._number, self._once = str(results), fails_at, number, once

    def _count(self, what: Any) -> None:
        try:
            path = str(Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else what)
        except OSError:
            return
        if not path.startswith(self._results):
            return
        self.calls += 1
        if self.calls == self._at or (self.calls > self._at and not self._once):
            raise OSError(self._number, os.strerror(self._number), path)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Have every call counted meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("write", "fsync", "replace", "rename", "ftruncate", "pwrite", "mkdir"):
                patch.setattr(os, name, self._counting(getattr(os, name)))
            yield

    def _counting(self, real: Any) -> Any:
        def call(what: Any, *more: Any, **named: Any) -> Any:
            self._count(what)
            return real(what, *more, **named)

        return call


class Acknowledged(Watcher):
    """Remembers what was journalled."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[tuple[str, int]] = []

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt is in the journal."""
        self.tries.append((attempt.job.id, attempt.number))


SMALL = task("small", [sample(f"s{number}") for number in range(4)])


def _start(server: Running, results: Path, broken: Broken) -> tuple[Acknowledged, StoreError | None]:
    watcher = Acknowledged()
    made = plan([SMALL], [endpoint("p/m", server.base_url)], concurrency=1)
    with broken.installed():
        try:
            sitting.start(made, results=results, company=Company(watcher))
        except StoreError as error:
            return watcher, error
    return watcher, None


@pytest.fixture(scope="module")
def calls(server: Running, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often a small run asks the disk for something."""
    results = tmp_path_factory.mktemp("counted")
    broken = Broken(results, 10**9, errno.ENOSPC, once=True)
    assert _start(server, results, broken)[1] is None
    return broken.calls


@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
def test_every_nth_write_fails(once: bool, server: Running, calls: int, tmp_path: Path) -> None:
    """Whichever call fails, and whether the disk recovers: exit code 5 or a whole run; a resumed run is whole."""
    assert calls > 20
    numbers = range(1, calls + 1) if ALL else sorted(random.sample(range(1, calls + 1), 6))
    ends = [endpoint("p/m", server.base_url)]
    refused = 0
    for number in numbers:
        results = tmp_path / str(number)
        broken = Broken(results, number, errno.EIO if once else errno.ENOSPC, once=once)
        watcher, error = _start(server, results, broken)
        refused += error is not None
        if error is not None:
            assert error.exit_code == 5
            assert "\n" not in str(error)
        if not _runs(results):
            assert watcher.tries == [], "something was asked that could not be kept"
            continue
        (run,) = _runs(results)
        assert set(watcher.tries) <= set(_tries(run)), f"call {number}: an acknowledged attempt is lost"
        providers = {one.provider.id: one.provider for one in ends}
        sitting.resume(run, catalog=catalog(SMALL), providers=providers, company=Company(Watcher()))
        assert set(watcher.tries) <= set(_tries(run))
        assert_whole(run)
    assert refused > 0
    if ALL:
        print(f"{'once' if once else 'from then on'}: {calls} calls, {refused} refused with 5")
