"""Run a command and write down what its whole process tree cost: ``spent.py OUT.json SECONDS [--memory] -- COMMAND``.

CPU is the kernel's own sum over every process of the tree that has ended. This process makes itself the tree's
"subreaper", so that workers whose parent ended first are counted too. Memory is the largest sum over the tree, sampled:
of proportional set sizes (a shared page counts once) and of resident ones, which is never less than the kernel's own
peak of any one process. Sampling walks page tables, so it is only done where memory is asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_SAMPLE_S = 0.1
_GRACE_S = 5.0


def main() -> None:
    """See the module."""
    out, seconds = Path(sys.argv[1]), float(sys.argv[2])
    command = sys.argv[sys.argv.index("--") + 1 :]
    memory = "--memory" in sys.argv[: sys.argv.index("--")]
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    peak, done = [0, 0], threading.Event()
    started = time.perf_counter_ns()
    process = subprocess.Popen(command)
    if memory:
        threading.Thread(target=_watch, args=(peak, done), daemon=True).start()
    timer = threading.Timer(seconds, _kill)
    timer.start()
    code, wall_ns = 0, 0
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.wait()
            if pid == process.pid:
                code, wall_ns = os.waitstatus_to_exitcode(status), time.perf_counter_ns() - started
                overdue = wall_ns >= seconds * 1e9
                timer.cancel()
                timer = threading.Timer(_GRACE_S, _kill)  # what outlives the command is not waited for
                timer.start()
    timer.cancel()
    done.set()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {"code": code, "overdue": overdue, "wall_s": wall_ns / 1e9, "cpu_s": used.ru_utime + used.ru_stime}
    if memory:
        told |= {"peak_pss_mb": peak[0] / 1024, "peak_rss_mb": max(peak[1], used.ru_maxrss) / 1024}
    out.write_text(json.dumps(told))


def descendants() -> list[int]:
    """Numbers of all processes below this one."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found, left = [], [os.getpid()]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def _kill() -> None:
    for pid in descendants():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _watch(peak: list[int], done: threading.Event) -> None:
    while not done.wait(_SAMPLE_S):
        pss = rss = 0
        for pid in descendants():
            with contextlib.suppress(OSError, ValueError, IndexError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                pss += int(rollup.split("\nPss:")[1].split()[0])
                rss += int(rollup.split("\nRss:")[1].split()[0])
        peak[:] = max(peak[0], pss), max(peak[1], rss)


if __name__ == "__main__":
    main()
