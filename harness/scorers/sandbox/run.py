"""Runs one program with its tests in a process that can reach nothing, and says how that ended.

What holds the program is told in ``docs/code-execution.md``. Where the kernel lacks what it takes, nothing is run.
"""

from __future__ import annotations

import functools
import marshal
import math
import os
import resource
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.scorers.sandbox import kernel

Ended = Literal["ok", "assertion", "exception", "timeout", "memory", "killed", "refused"]
"""``ok``: the tests ran to their end; ``assertion``: one did not hold; ``killed``: by a signal, such as that of a
segmentation fault, or by us for its flood of output; ``refused``: this machine cannot contain it, and it was not
run."""

_MB = 1 << 20
_BEGIN_S = 30.0
"""An interpreter that is not ready by then never will be: the machine may be busy."""
_KEPT = 4_000
"""Bytes of output that are kept: the last ones."""
_FLOOD = 4 * _MB
"""Bytes of output after which a program is stopped."""
_LONGEST = _MB
"""Bytes of source that are worth compiling."""
_ROOT = str(Path(__file__).parents[3])
_BOOT = """
import sys
sys.path.append(sys.argv[1])
for name in ("harness", "harness.scorers"):
    sys.modules[name] = type(sys)(name)
    sys.modules[name].__path__ = [sys.argv[1] + "/" + name.replace(".", "/")]
from harness.scorers.sandbox.inside import main
main()
"""
"""The packages are made by hand: importing the nouns would take longer than most programs."""
_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8", "-c", _BOOT)
_ENVIRONMENT = {"PYTHONHASHSEED": "0"}
"""All there is in it, and gone before the program runs: sets come in one order, so that a verdict is repeatable."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use."""

    seconds: float = 5.0
    """From when it is locked in; of processor time it may use as much, rounded up, and one second."""
    memory_bytes: int = 512 * _MB
    """Of address space, the interpreter's own included."""
    room_bytes: int = 32 * _MB
    """Of files in its folder, which is in memory."""
    file_bytes: int = 16 * _MB
    open_files: int = 64


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program and its tests ended."""

    ended: Ended
    why: str
    """One line; empty where it passed. It may quote the program."""
    output: str
    """The end of what it printed on either stream."""
    seconds: float
    """From when it was locked in."""
    walls: tuple[str, ...] = ()
    """Names of what held it, such as ``seccomp``; empty: it was not run."""


def run(program: str, tests: str, limits: Limits | None = None) -> Ran:
    """Run a program and, in the same interpreter and namespace, its tests.

    It is safe in threads, each of which waits for a process of its own.
    """
    if kernel.machine() is None:
        return Ran("refused", "programs can be contained on 64-bit Linux on x86-64 and aarch64 only", "", 0.0)
    sources = [source.encode("utf-8", "replace") for source in (program, tests)]
    if max(map(len, sources)) > _LONGEST:
        return Ran("exception", f"the program is longer than {_LONGEST} bytes", "", 0.0)
    with tempfile.TemporaryDirectory(prefix="harness-code-") as folder:
        return _Contained(sources[0].decode(), sources[1], limits or Limits(), folder).outcome()


@functools.cache
def trouble() -> str | None:
    """Why this machine cannot contain programs, found out by trying once; None: it can."""
    ran = run("pass", "pass", Limits(seconds=_BEGIN_S))
    return None if ran.ended == "ok" else ran.why or ran.ended


@dataclass(slots=True)
class _Told:
    """What came over the pipe of verdicts so far."""

    nonce: bytes
    data: bytearray = field(default_factory=bytearray)
    lines: list[str] = field(default_factory=list)

    def add(self, data: bytes) -> None:
        self.data += data
        while len(self.lines) < 3 and b"\n" in self.data:
            line, _, rest = bytes(self.data).partition(b"\n")
            self.lines.append(line.decode("utf-8", "replace"))
            self.data = bytearray(rest)

    @property
    def walls(self) -> tuple[str, ...]:
        return tuple(self.lines[0].split()[1:]) if self.lines and self.lines[0].startswith("locked ") else ()

    @property
    def loaded(self) -> bool:
        return self.lines[1:2] == ["loaded"]

    @property
    def passed(self) -> bool:
        return self.loaded and self.data == self.nonce

    @property
    def ended(self) -> tuple[Ended, str] | None:
        """Kind and reason, where it said so itself; what is no pass may well be claimed by the program."""
        last = self.lines[-1] if self.lines else ""
        word, _, rest = last.partition(" ")
        kind, _, why = rest.partition(" ")
        if word == "refused" and len(self.lines) == 1:
            return "refused", rest
        known: dict[str, Ended] = {"assertion": "assertion", "exception": "exception", "memory": "memory"}
        return (known[kind], why) if word == "ended" and kind in known else None

    @property
    def over(self) -> bool:
        return self.passed or self.ended is not None or len(self.data) > _KEPT


class _Contained:
    """One process and the pipes to it."""

    def __init__(self, program: str, tests: bytes, limits: Limits, folder: str) -> None:
        self._limits = limits
        self._output = bytearray()
        self._printed = 0
        self._told = _Told(secrets.token_hex(16).encode())
        cpu_s = math.ceil(limits.seconds) + 1
        most = {
            "RLIMIT_AS": limits.memory_bytes,
            "RLIMIT_CPU": cpu_s,
            "RLIMIT_FSIZE": limits.file_bytes,
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_NPROC": 1,
            "RLIMIT_CORE": 0,
        }
        hard = {name: resource.getrlimit(getattr(resource, name))[1] for name in most}
        most = {
            name: own if hard[name] == resource.RLIM_INFINITY else min(own, hard[name]) for name, own in most.items()
        }
        job = {"folder": folder, "program": program, "parent": os.getpid(), "limits": most}
        self._unsent = _message(marshal.dumps(job | {"room_bytes": limits.room_bytes}))
        self._tests = _message(tests) + _message(self._told.nonce)
        self._verdict, out = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, no shell
                [sys.executable, *_FLAGS, _ROOT, str(out)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_ENVIRONMENT,
                pass_fds=(out,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._verdict)
            raise
        finally:
            os.close(out)

    def outcome(self) -> Ran:
        """Talk with it until it is over or its time is up; whatever happens, it is gone afterwards."""
        began_ns = time.perf_counter_ns()
        try:
            in_time = self._talk(began_ns + round(_BEGIN_S * 1e9), until_locked=True)
            began_ns = time.perf_counter_ns()
            if in_time and not self._told.over:
                in_time = self._talk(began_ns + round(self._limits.seconds * 1e9), until_locked=False)
        finally:
            ended_ns = time.perf_counter_ns()
            self._kill()
        return self._ran(in_time=in_time, seconds=(ended_ns - began_ns) / 1e9)

    def _talk(self, deadline_ns: int, *, until_locked: bool) -> bool:
        """Write and read what there is; False: it took too long."""
        process, told = self._process, self._told
        assert process.stdin is not None
        assert process.stdout is not None
        with selectors.DefaultSelector() as ready:
            writing = process.stdin.fileno()
            os.set_blocking(writing, False)
            for source in (process.stdout.fileno(), self._verdict):
                ready.register(source, selectors.EVENT_READ)
            while not told.over and self._printed <= _FLOOD and not (until_locked and told.walls):
                if told.loaded and self._tests:
                    self._unsent, self._tests = self._unsent + self._tests, b""
                wanted = bool(self._unsent)
                if wanted != (writing in ready.get_map()):
                    ready.register(writing, selectors.EVENT_WRITE) if wanted else ready.unregister(writing)
                left_s = (deadline_ns - time.perf_counter_ns()) / 1e9
                if left_s <= 0:
                    return False
                for key, _ in ready.select(left_s):
                    if not self._moved(key.fd, writing):
                        ready.unregister(key.fd)
                if set(ready.get_map()) <= {writing}:
                    return self._gone(deadline_ns)
        return True

    def _moved(self, at: int, writing: int) -> bool:
        """Write or read what can be at once; False: the other end is closed."""
        if at == writing:
            try:
                self._unsent = self._unsent[os.write(writing, self._unsent[: 1 << 16]) :]
            except BrokenPipeError:
                self._unsent = self._tests = b""
            return True
        data = os.read(at, 1 << 16)
        if at == self._verdict:
            self._told.add(data)
        else:
            self._printed += len(data)
            self._output = (self._output + data)[-_KEPT:]
        return bool(data)

    def _gone(self, deadline_ns: int) -> bool:
        """Wait for the end of a process that has closed its pipes; False: it took too long."""
        try:
            self._process.wait(max(0.0, (deadline_ns - time.perf_counter_ns()) / 1e9))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _rest(self) -> None:
        """Read what it had printed, after it was killed: as much as a pipe holds."""
        assert self._process.stdout is not None
        at = self._process.stdout.fileno()
        os.set_blocking(at, False)
        with suppress(BlockingIOError):
            self._output = (self._output + os.read(at, 1 << 16))[-_KEPT:]

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            # The id stays the process's own until it was waited for.
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._rest()
        with suppress(BrokenPipeError):
            self._process.__exit__(None, None, None)
        os.close(self._verdict)

    def _ran(self, *, in_time: bool, seconds: float) -> Ran:
        told, code = self._told, self._process.returncode
        if told.passed:
            ended: Ended = "ok"
            why = ""
        elif told.ended is not None:
            ended, why = told.ended
        elif not in_time or code == -signal.SIGXCPU:
            ended, why = "timeout", f"it was not done within {self._limits.seconds:g} s"
        elif self._printed > _FLOOD:
            ended, why = "killed", f"it printed more than {_FLOOD // _MB} MB"
        elif code < 0:
            ended, why = "killed", f"it was ended by {signal.Signals(-code).name}"
        else:
            ended, why = "exception", "it ended the interpreter before its tests were through"
        if not told.walls:
            # Nothing of the program was run.
            ended, why = "refused", why if told.ended else f"the sandbox did not come up: {self._text()[-200:] or why}"
        return Ran(ended, why, self._text(), seconds, told.walls)

    def _text(self) -> str:
        return self._output.decode("utf-8", "replace")


def _lower(name: str, own: int) -> int:
    """A limit that is no higher than what this process may have itself."""
    hard = resource.getrlimit(getattr(resource, name))[1]
    return own if hard == resource.RLIM_INFINITY else min(own, hard)


def _message(data: bytes) -> bytes:
    return b"%08d%s" % (len(data), data)
