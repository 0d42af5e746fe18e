"""The server of the library transformers, installed in an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, process
from harness.engines.installed import find
from harness.engines.options import ANY_PYTHON, FLAG, TEXT, checked, flags
from harness.engines.ports import HOST

_KNOWN = {**ANY_PYTHON, "model": TEXT, "device": TEXT, "dtype": TEXT, "continuous_batching": FLAG}
_FLAGS = {"device": "--device", "dtype": "--dtype"}


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``model`` (required: a folder, or an id of the Hugging Face hub; its clients call it the same), ``device``
    (for example cpu), ``dtype``, ``continuous_batching`` (false), ``python``, ``port``, ``ready_s``, ``args``, ``env``.
    It parses tool calls without being told to.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start.

    Source: ``transformers serve --help`` and the path /health of transformers 5.23.0.
    """
    asked = checked("transformers_serve", options, _KNOWN, needed=("model",))
    place = find(
        asked, program="transformers", distributions=("transformers",), hint="pip install 'transformers[serving]' torch"
    )
    port = process.port_of(asked)
    argv = [place.program("transformers"), "serve", asked["model"], "--host", HOST, "--port", str(port)]
    argv += flags(asked, _FLAGS)
    if asked.get("continuous_batching", False):
        argv += ["--continuous-batching"]
    version = f"transformers {place.version}"
    program = process.Program("transformers_serve", argv, port, version, "/health", asked, bin=place.folder)
    return process.run(program, log_dir, tell)
