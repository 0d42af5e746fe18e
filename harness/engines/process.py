"""Outside programs as engines: each starts on loopback under a warden, is waited for on its health path, and stopped.

The program is never imported and runs in an environment of its own; see ``harness.engines.warden`` for its end.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, child
from harness.engines.options import named, texts
from harness.engines.ports import HOST, free_port, must_be_free
from harness.errors import EngineError

READY_S = 300.0
"""Seconds until a program must answer; one that imports large libraries from a cold disk takes more than a minute."""
GRACE_S = 8.0
"""Seconds that a program and what it started have to end."""
_WARDEN = Path(__file__).with_name("warden.py")
_WARDEN_S = 30.0
_ASK_EVERY_S = 0.1
_ANSWER_S = 5.0
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""Variables that steer this Python, and would mislead another."""
_BARE = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Program:
    """A server to be started."""

    engine: str
    argv: Sequence[str]
    """With the port in it."""
    port: int
    version: str
    health: str
    """Path that answers GET with 200 once requests are served."""
    options: Mapping[str, Any]
    """Of its ``serve`` block: ``ready_s``, ``args`` and ``env`` are read here."""
    up: Collection[int] = (200,)
    """Statuses on that path that say so."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to its environment, before the user's own."""
    bin: Path | None = None
    """Folder of its environment's programs, put first on its PATH; None: it has none."""
    bare: bool = False
    """Whether nothing of our environment is passed on but what finds programs and names the language."""
    base_path: str = "/v1"
    """What follows the address in its base URL."""


def port_of(options: Mapping[str, Any]) -> int:
    """The port that the user wants, or a free one; EngineError: somebody has it."""
    must_be_free(options.get("port", 0))
    return options.get("port", 0) or free_port()


def run(program: Program, log_dir: Path | None, tell: Tell) -> Running:
    """Start a program and wait until it answers.

    Raises EngineError, one line with the last words of its log, when it ends or does not answer in time.
    """
    with ExitStack() as stack:
        folder = log_dir
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{program.engine}-")))
        env = _environment(program)
        if program.bare:
            env["HOME"] = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{program.engine}-home-"))
        env |= named(program.options, "env")
        log = folder / f"{program.engine}-{program.port}.log"
        argv = [sys.executable, "-I", "-S", str(_WARDEN), str(GRACE_S), *program.argv, *texts(program.options, "args")]
        warden, told = child.spawn(argv, log=log, ready_timeout_s=_WARDEN_S, env=env, name=program.engine)
        stack.callback(_stop, warden, told["pid"])
        _wait(program, warden, log, tell, lasting=log_dir is not None)
        stop = stack.pop_all().close
    base_url = f"http://{HOST}:{program.port}{program.base_path}"
    return Running(base_url, program.version, pid=told["pid"], log=log, ended=warden.poll, stop=stop)


def status(port: int, path: str) -> int | None:
    """What a server on loopback answers to GET; None: nothing."""
    answered = get(port, path)
    return answered[0] if answered else None


def get(port: int, path: str, most: int = 0) -> tuple[int, bytes] | None:
    """Status and the first ``most`` bytes of what a server on loopback answers to GET; None: it does not answer.

    Nothing of the environment, such as a proxy, comes in between.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(most) if most else b""
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _environment(program: Program) -> dict[str, str]:
    if program.bare:
        env = {name: os.environ[name] for name in _BARE if name in os.environ}
    else:
        # A key is for the client; and a server that finds one in its environment may ask for it.
        kept = ((name, value) for name, value in os.environ.items() if not name.endswith("_API_KEY"))
        env = {name: value for name, value in kept if name not in _OURS}
    if program.bin is not None:
        env["PATH"] = f"{program.bin}{os.pathsep}{env.get('PATH', os.defpath)}"
    return {**env, **program.env}


def _wait(program: Program, warden: subprocess.Popen[bytes], log: Path, tell: Tell, *, lasting: bool) -> None:
    """Until the program answers on its health path."""
    ready_s = float(program.options.get("ready_s", READY_S))
    patience = child.Patience(log, ready_s, lambda words: tell(f"{program.engine} {words}"))
    see = f"See {log}" if lasting else ""
    while status(program.port, program.health) not in program.up:
        if warden.poll() is not None:
            how = child.how_ended(warden.returncode)
            raise EngineError(f"{program.engine} {how} before it answered{child.colon(log)}", hint=see)
        if not patience.left_s:
            raise EngineError(
                f"{program.engine} did not answer on {program.health} within {ready_s:g} s{child.colon(log)}",
                hint=see or "serve.ready_s gives it longer",
            )
        patience.say()
        time.sleep(_ASK_EVERY_S)


def _stop(warden: subprocess.Popen[bytes], group: int) -> None:
    """Have the warden end the program's group; where that one does not, do it in its place."""
    child.stop(warden, GRACE_S + child.STOP_S)
    if warden.returncode == -signal.SIGKILL:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
