"""Child processes: spawn, wait for one line of JSON that says "ready", stop."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.errors import EngineError
from harness.types import JsonObject

STOP_S = 5.0
"""Seconds a child has to end after SIGTERM before it is killed."""


def spawn(
    argv: Sequence[str], *, log: Path, ready_timeout_s: float, env: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], JsonObject]:
    """Start a process and wait until it prints a JSON object on a line of its standard output.

    Everything else it prints, then and later, goes to the file ``log``. Its standard input is a pipe that closes when
    this process ends, however it ends, so that a child that watches it outlives nobody. It has a session of its own:
    Ctrl-C reaches the parent alone, which then stops it in its own time.

    ``env``: added to this process's environment.
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
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"cannot start {argv[0]}: {error.strerror or error}") from None
    ready: queue.SimpleQueue[JsonObject | None] = queue.SimpleQueue()
    assert process.stdout is not None
    threading.Thread(target=_drain, args=(process.stdout, log, ready), name="child-output", daemon=True).start()
    try:
        line = ready.get(timeout=ready_timeout_s)
    except queue.Empty:
        stop(process)
        raise EngineError(f"{_name(argv)} was not ready within {ready_timeout_s:g} s{_last_words(log)}") from None
    except BaseException:
        stop(process)
        raise
    if line is None:
        stop(process)
        raise EngineError(f"{_name(argv)} ended with exit code {process.returncode}{_last_words(log)}")
    return process, line


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child by SIGTERM, after ``STOP_S`` by SIGKILL; a second call does nothing."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
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


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return f": {lines[-1].removeprefix('Error: ')[:300]}" if lines else f" (nothing in {log.name})"
