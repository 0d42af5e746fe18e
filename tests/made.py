"""Tasks, loads, endpoints and answers made for a test, and the command line as a child process."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.exchange import Completion, Outcome, StreamMarks, ToolCall
from harness.provider import Endpoint, Price, Provider
from harness.run.arrivals import Closed, Law
from harness.run.planning.plan import Plan, make
from harness.run.planning.stages import Stage
from harness.run.selecting.selection import Selection
from harness.run.tally import Tally
from harness.scorers.exact import exact
from harness.types import Attempt, Load, Sample, Task

_COMPILED = tempfile.mkdtemp(prefix="harness-compiled-")
atexit.register(shutil.rmtree, _COMPILED, ignore_errors=True)

WAIT_S = 180.0
"""The machine may be busy: what has not happened by then never will."""


def sample(name: str, text: str | None = None, **params: Any) -> Sample:
    """A question whose right answer is its own name, which a simulator gives."""
    said = f"Repeat exactly: {name}" if text is None else text
    return Sample(name, ({"role": "user", "content": said},), target=name, params={"max_tokens": 8, **params})


def task(name: str, samples: Sequence[Sample], **changes: Any) -> Task:
    """A quality task of these samples."""

    def load(data: Path | None) -> Iterator[Sample]:
        return iter(samples)

    fields = {"version": 1, "kind": "quality", "description": "made for a test", "load": load, "scorer": exact()}
    return Task(name=name, **{**fields, **changes})


def load(name: str, *levels: Law, n: int = 4, warmup: int = 0, text: Callable[[int, int], str] | None = None) -> Load:
    """A load whose prompts are numbered."""

    def prompt(seed: int, index: int) -> Sample:
        return sample(f"n{seed}-{index}", text(seed, index) if text else None)

    return Load(name, 1, "made for a test", levels or (Closed(1),), n, prompt, warmup)


def endpoint(name: str = "p/m", base_url: str | None = None, **changes: Any) -> Endpoint:
    """An endpoint without a key that costs 1 USD for each million tokens."""
    provider, _, model = name.partition("/")
    price = Price(1.0, 1.0, 1.0, "test")
    made = Provider(provider, "simulated", base_url, models={model: "sim-small"}, prices={model: price}, **changes)
    return Endpoint(made, model, "sim-small")


def catalog(*things: Task | Load) -> Catalog:
    """A catalogue of just these."""
    return Catalog(
        tasks={one.name: one for one in things if isinstance(one, Task)},
        loads={one.name: one for one in things if isinstance(one, Load)},
    )


def plan(things: Sequence[Task | Load], endpoints: Sequence[Endpoint], **selection: Any) -> Plan:
    """The plan of all these things on all these endpoints."""
    chosen: dict[str, Any] = {
        "suite": "made",
        "endpoints": tuple(one.id for one in endpoints),
        "tasks": tuple(one.name for one in things if isinstance(one, Task)),
        "loads": tuple(one.name for one in things if isinstance(one, Load)),
    }
    return make(Selection(**{**chosen, **selection}), catalog(*things), endpoints)


def reply(text: str = "", *calls: ToolCall, finish: str | None = None, **fields: Any) -> Completion:
    """An answer that ended as it should, unless changed."""
    usual = {"reasoning": "", "refusal": "", "usage": None, "marks": StreamMarks()}
    ended = finish or ("tool_calls" if calls else "stop")
    return Completion(text=text, tool_calls=calls, finish_reason=ended, **{**usual, **fields})


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.jobs = -1
        self.stages: list[str] = []
        self.again: list[bool] = []
        self.lines: list[str] = []

    def follow(self, tally: Callable[[], Tally]) -> None:
        """What has happened so far."""

    def told(self, line: str) -> None:
        """Something that a person should know."""
        self.lines.append(line)

    def planned(self, jobs: int) -> None:
        """So many jobs."""
        self.jobs = jobs

    def stage(self, stage: Stage) -> None:
        """A stage."""
        self.stages.append(stage.name)

    def counted(self, jobs: int, again: int, failures: Mapping[str, int]) -> None:
        """Other processes."""

    def finished(self, attempt: Attempt, outcome: Outcome, *, again: bool) -> None:
        """An attempt."""
        self.again.append(again)


# --- the command line ------------------------------------------------------------------------------------


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what steers the harness; modules are compiled once for all children."""
    steering = ("HARNESS_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "PYTHONPYCACHEPREFIX": _COMPILED, **changes}


def begin(folder: Path, *argv: str, **options: Any) -> subprocess.Popen[str]:
    """Start ``python -m harness`` in a folder; its output is piped."""
    env = options.pop("env", None) or environment()
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *argv],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def harness(folder: Path, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python -m harness`` in a folder to its end."""
    with begin(folder, *argv, **options) as process:
        try:
            out, err = process.communicate(timeout=WAIT_S)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
    """The one line by which a command said what was wrong; asserts its exit code and that it holds the words."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("harness: ")]
    assert len(lines) == 1, done.stderr
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in lines[0], lines[0]
    return lines[0]
