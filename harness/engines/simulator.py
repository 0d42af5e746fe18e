"""The simulator as an engine: ``harness simulate`` in a child process on loopback."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import __version__
from harness.engines import Running, Tell, child
from harness.errors import ConfigError
from harness.simulator.profile import PROFILES
from harness.simulator.settings import profile_of, with_settings

READY_S = 30.0
_OWN = ("profile", "port", "seed")


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a simulated endpoint and wait until it answers.

    Options: ``profile`` (required: a shipped one, or the path of a YAML file), ``port`` (a free one), ``seed`` (0), and
    any field of the profile or share of a fault, for example ``http_500: 0.1``. With ``log_dir`` its send times are in
    ``simulator-<profile>.sends.jsonl``. Raises UnknownName or UsageError for a wrong option, EngineError when it cannot
    start.
    """
    name = options.get("profile")
    if not isinstance(name, str):
        raise ConfigError("the engine simulator needs a profile", hint=f"Known: {', '.join(PROFILES)}")
    settings = [f"{key}={_text(value)}" for key, value in options.items() if key not in _OWN]
    # Checked here too, so that a mistake in a user's file is told as one.
    known_as = with_settings(profile_of(name), settings).name
    argv = [sys.executable, "-m", "harness", "simulate", name, "--watch-stdin"]
    argv += ["--port", _number(options, "port"), "--seed", _number(options, "seed")]
    for setting in settings:
        argv += ["--set", setting]
    with ExitStack() as stack:
        if log_dir is None:
            log_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simulator-")))
        else:
            argv += ["--log", str(log_dir / f"simulator-{known_as}.sends.jsonl")]
        # A key in the user's shell is meant for a simulator started by hand; here only the option key_env asks for one.
        env = {**os.environ, **({} if "key_env" in options else {"HARNESS_SIM_KEY": ""})}
        log = log_dir / f"simulator-{known_as}.log"
        process, ready = child.spawn(argv, log=log, ready_timeout_s=READY_S, env=env, tell=tell)
        stack.callback(child.stop, process)
        stop = stack.pop_all().close
    version = f"simulator {__version__}"
    return Running(ready["base_url"], version, pid=process.pid, log=log, ended=process.poll, stop=stop)


def _number(options: Mapping[str, Any], key: str) -> str:
    value = options.get(key, 0)
    if type(value) is not int or value < 0:
        raise ConfigError(f"serve.{key} of the engine simulator is {value!r}, and must be a whole number from 0")
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{share}" for name, share in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
