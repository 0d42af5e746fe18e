"""``ollama serve``: models that were pulled before, under the names that it lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, installed, process
from harness.engines.options import ANY_PROGRAM, TEXT, checked, whole
from harness.engines.ports import HOST
from harness.errors import EngineError

_KNOWN = {
    **ANY_PROGRAM,
    "program": TEXT,
    "model": TEXT,
    "models_dir": TEXT,
    "context": whole(64, 1 << 24),
    "parallel": whole(1, 1024),
    "keep_alive": TEXT,
}
_VARIABLES = {
    "models_dir": "OLLAMA_MODELS",
    "context": "OLLAMA_CONTEXT_LENGTH",
    "parallel": "OLLAMA_NUM_PARALLEL",
    "keep_alive": "OLLAMA_KEEP_ALIVE",
}
_MOST = 1 << 20
"""Bytes of an answer about itself."""


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``program`` (path of ollama; default: the one on the PATH), ``model`` (a name that must have been pulled;
    default: not looked at), ``models_dir``, ``context``, ``parallel``, ``keep_alive`` (for example 30m), ``port``,
    ``ready_s``, ``args``, ``env``. It loads a model with the first request for it.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start or lacks the model.

    Source: docs/faq.mdx, docs/api.md (/api/version, /api/tags) and envconfig/config.go of ollama, read 2026-11-26;
    never seen with the real program.
    """
    asked = checked("ollama", options, _KNOWN)
    program = installed.program(asked, "ollama", hint="Install it from its own page, or name it in serve.program")
    port = process.port_of(asked)
    env = {"OLLAMA_HOST": f"{HOST}:{port}"}
    for name, variable in _VARIABLES.items():
        if name in asked:
            env[variable] = str(Path(asked[name]).expanduser()) if name == "models_dir" else str(asked[name])
    serve = process.Program("ollama", [program, "serve"], port, "ollama", "/api/version", asked, env=env)
    running = process.run(serve, log_dir, tell)
    try:
        version = _told(port, "/api/version").get("version", "of no known version")
        if "model" in asked:
            _must_be_pulled(asked["model"], port)
    except BaseException:
        running.stop()
        raise
    return replace(running, version=f"ollama {version}")


def _must_be_pulled(model: str, port: int) -> None:
    """A name without a tag means the tag latest."""
    listed = _told(port, "/api/tags").get("models")
    names = [one["name"] for one in listed or () if isinstance(one, dict) and isinstance(one.get("name"), str)]
    if not {model, f"{model}:latest"} & set(names):
        raise EngineError(
            f"ollama has no model {model} (it has {', '.join(sorted(names)[:12]) or 'none'})",
            hint=f"ollama pull {model}",
        )


def _told(port: int, path: str) -> dict[str, Any]:
    """What the server tells of itself; empty where that is not JSON."""
    answered = process.get(port, path, _MOST)
    try:
        told = json.loads(answered[1]) if answered else None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
