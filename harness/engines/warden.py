"""Holds a program that is not ours: ``python warden.py GRACE_S PROGRAM ARGUMENT...``; it needs nothing but Python.

A program that knows nothing of the harness would outlive one that is killed. So its parent is this process, whose
standard input is a pipe from the harness: when that closes, however the harness ended, or on SIGTERM, the program's
whole process group is ended, by SIGTERM and after ``GRACE_S`` seconds by SIGKILL. It prints one line of JSON when the
program runs, what the program prints goes to standard error, and it ends as the program ends: with the same code, by
the same signal. What the program started and left behind is ended too.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

_HEAR_S = 0.05
"""So long a group that was told to end may take before one looks again."""
_REST_S = 2.0
"""So long its members may tidy up after the program itself has ended."""


def main(argv: list[str]) -> int:
    """Hold the program until it ends or has to."""
    grace_s, command = float(argv[0]), argv[1:]
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, _nothing)
    try:
        program = subprocess.Popen(  # noqa: S603 - argv is the engine's, no shell
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
        )
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror or error}", file=sys.stderr)  # noqa: T201 - last words
        return 127
    print(json.dumps({"pid": program.pid}), flush=True)  # noqa: T201 - the line that the parent waits for
    while program.poll() is None:
        ready, _, _ = select.select([0, woken], [], [])
        if 0 in ready and not os.read(0, 4096):
            break
        if woken in ready and set(os.read(woken, 4096)) & {signal.SIGTERM, signal.SIGINT}:
            break
    _end(program, grace_s)
    return _as_ended(program.returncode)


def _nothing(number: int, frame: FrameType | None) -> None:
    """A signal that is heard through the pipe."""


def _end(program: subprocess.Popen[bytes], grace_s: float) -> None:
    """Leave nothing of the program's group."""
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while program.poll() is None and time.monotonic() < until:
        time.sleep(_HEAR_S)
    until = min(until, time.monotonic() + _REST_S)
    while _any_left(program.pid) and time.monotonic() < until:
        time.sleep(_HEAR_S)
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _any_left(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def _as_ended(code: int) -> int:
    """The program's own end, which its parent is to see."""
    if code < 0 and -code not in (signal.SIGCHLD, signal.SIGSTOP):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
