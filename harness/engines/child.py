"""Child processes: spawn, wait for one line of JSON that says "ready", stop."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.engines import Tell
from harness.errors import EngineError
from harness.types import JsonObject

STOP_S = 5.0
"""Seconds a child has to end after SIGTERM before it is killed."""
TELL_EVERY_S = 15.0
_TAIL = 16_384
"""Bytes of a log that are looked at for its last lines."""
_SHOWN = 300
"""Characters of a line."""


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    ready_timeout_s: float,
    env: Mapping[str, str] | None = None,
    tell: Tell = lambda _: None,
    name: str | None = None,
) -> tuple[subprocess.Popen[bytes], JsonObject]:
    """Start a process and wait until it prints a JSON object on a line of its standard output.

    Everything else it prints, then and later, goes to the file ``log``. Its standard input is a pipe that closes when
    this process ends, however it ends, so that a child that watches it outlives nobody. It has a session of its own:
    Ctrl-C reaches the parent alone, which then stops it in its own time.

    ``env``: the child's environment; None: this process's own. ``tell`` hears of it now and then where it takes long.
    ``name``: how a person calls the process; None: by its command line.
    Raises EngineError, one line that holds the last line of the log, when it ends or stays silent.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        try:
            process = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"cannot start {argv[0]}: {error.strerror or error}") from None
    ready: queue.SimpleQueue[JsonObject | None] = queue.SimpleQueue()
    assert process.stdout is not None
    threading.Thread(target=_drain, args=(process.stdout, log, ready), name="child-output", daemon=True).start()
    try:
        line = _first(ready, log, ready_timeout_s, lambda words: tell(f"{name or _name(argv)} {words}"))
    except queue.Empty:
        stop(process)
        what = f"{name or _name(argv)} was not ready within {ready_timeout_s:g} s"
        raise EngineError(f"{what}{colon(log)}") from None
    except BaseException:
        stop(process)
        raise
    if line is None:
        stop(process)
        raise EngineError(f"{name or _name(argv)} {how_ended(process.returncode)}{colon(log)}")
    return process, line


def _first(ready: queue.SimpleQueue[JsonObject | None], log: Path, timeout_s: float, tell: Tell) -> JsonObject | None:
    """The line that a child begins with; None: it ended before. Raises queue.Empty when the time is over."""
    patience = Patience(log, timeout_s, tell)
    while True:
        try:
            return ready.get(timeout=min(patience.left_s, TELL_EVERY_S))
        except queue.Empty:
            if patience.left_s <= 0:
                raise
            patience.say()


class Patience:
    """The time that a start may take, of which a person hears every ``TELL_EVERY_S`` seconds."""

    def __init__(self, log: Path, timeout_s: float, tell: Tell) -> None:
        self._log = log
        self._tell = tell
        self._began = self._told = time.monotonic()
        self._until = self._began + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds; 0: none."""
        return max(0.0, self._until - time.monotonic())

    def say(self) -> None:
        """How long it has been, and what the server printed last, where that is due."""
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._tell(f"is not ready after {now - self._began:.0f} s{colon(self._log)}")


def stop(process: subprocess.Popen[bytes], within_s: float = STOP_S) -> None:
    """End a child by SIGTERM, after ``within_s`` seconds by SIGKILL; a second call does nothing."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def _drain(out: IO[bytes], log: Path, ready: queue.SimpleQueue[JsonObject | None]) -> None:
    """Read a child's output to its end, so that it never blocks on a full pipe."""
    waiting = True
    with out, log.open("ab") as sink:
        for line in out:
            told = _json_object(line) if waiting else None
            if told is not None:
                waiting = False
                ready.put(told)
                continue
            sink.write(line)
            sink.flush()
    ready.put(None)


def _json_object(line: bytes) -> JsonObject | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _name(argv: Sequence[str]) -> str:
    """How a person calls the process: ``harness simulate truth``, not the interpreter's path."""
    shown = list(argv)
    if "-m" in shown:
        shown = shown[shown.index("-m") + 1 :]
    return " ".join(Path(part).name if part.startswith("/") else part for part in shown[:3])


def how_ended(code: int) -> str:
    """The end of a process, by its return code as Python gives it."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def last_lines(log: Path, n: int = 1) -> str:
    """The last lines that a process printed, as one line; empty: it printed nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = ["".join(char if char.isprintable() else " " for char in line).strip() for line in text.splitlines()]
    shown = [line.removeprefix("Error: ")[:_SHOWN] for line in lines if line]
    return " | ".join(shown[-n:])


def colon(log: Path) -> str:
    """The last line of a log, as the end of a sentence."""
    words = last_lines(log)
    return f": {words}" if words else f" (nothing in {log.name})"
