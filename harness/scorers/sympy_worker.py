"""A process that compares mathematical expressions, started when it is needed and killed when it hangs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

_CHILD = Path(__file__).with_name("sympy_child.py")
_BEGIN_S = 60.0
"""Importing sympy takes a second or two, more on a busy machine."""
_MEMORY_BYTES = 2 << 30
_LONGEST = 1 << 16
"""Bytes of one answer."""


class Worker:
    """Asks one child at a time, from any thread; the child ends with the worker."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: how long one comparison may take."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], Worker] | None = None

    def equal(self, gold: str, answer: str) -> bool | None:
        """Whether two LaTeX expressions are equal; None: it took too long or too much memory, or cannot be parsed.

        OSError when no child can be started.
        """
        with self._lock:
            process = self._process or self._start()
            try:
                asked = json.dumps({"gold": gold, "answer": answer}).encode() + b"\n"
                assert process.stdin is not None
                process.stdin.write(asked)
                process.stdin.flush()
                said = self._answer(process, self._seconds)
            except BrokenPipeError:
                said = None
            except BaseException:
                self._stop()  # its answer would be taken for that to the next question
                raise
            if said is None:
                self._stop()
                return None
            return said.get("equal")

    def close(self) -> None:
        """End the child; the next question starts another."""
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, no shell
            [sys.executable, "-P", str(_CHILD), str(_MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        self._process, self._end = process, weakref.finalize(self, _end, process)
        if self._answer(process, _BEGIN_S) is None:
            self._stop()
            raise OSError("the process that compares expressions did not start")
        return process

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, bool] | None:
        """The next line it says; None: it said none in time, or ended."""
        assert process.stdout is not None
        deadline_ns = time.perf_counter_ns() + round(seconds * 1e9)
        said, at = b"", process.stdout.fileno()
        while not said.endswith(b"\n") and len(said) < _LONGEST:
            left_s = (deadline_ns - time.perf_counter_ns()) / 1e9
            if left_s <= 0 or not select.select([at], [], [], left_s)[0]:
                return None
            part = os.read(at, _LONGEST)
            if not part:
                return None
            said += part
        try:
            found: dict[str, bool] = json.loads(said)
        except ValueError:
            return None
        return found

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._end = None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    try:
        process.__exit__(None, None, None)
    except BrokenPipeError:
        process.wait()
