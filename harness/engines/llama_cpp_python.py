"""The server of the package llama-cpp-python, installed in an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, process
from harness.engines.installed import find
from harness.engines.options import ANY_PYTHON, TEXT, checked, file_of, flags, whole
from harness.engines.ports import HOST

_KNOWN = {
    **ANY_PYTHON,
    "model": TEXT,
    "alias": TEXT,
    "context": whole(64, 1 << 24),
    "threads": whole(1, 1024),
    "chat_format": TEXT,
}
_FLAGS = {"alias": "--model_alias", "context": "--n_ctx", "threads": "--n_threads", "chat_format": "--chat_format"}


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``model`` (required: path of a .gguf file), ``alias`` (what the server calls it; default: the path),
    ``context`` (tokens of one request, 2048), ``threads``, ``chat_format`` (default: the model's own template; tools
    need chatml-function-calling), ``python``, ``port``, ``ready_s``, ``args``, ``env``.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start.

    Source: ``python -m llama_cpp.server --help`` of llama-cpp-python 0.3.36, which has no health path of its own; where
    it wants a key, /v1/models answers 401.
    """
    asked = checked("llama_cpp_python", options, _KNOWN, needed=("model",))
    place = find(
        asked,
        program="python3",
        distributions=("llama-cpp-python", "llama_cpp_python"),
        hint="pip install 'llama-cpp-python[server]'",
    )
    port = process.port_of(asked)
    argv = [str(place.python), "-m", "llama_cpp.server", "--model", *file_of(asked, "model")]
    argv += ["--host", HOST, "--port", str(port), *flags(asked, _FLAGS)]
    version = f"llama-cpp-python {place.version}"
    program = process.Program(
        "llama_cpp_python", argv, port, version, "/v1/models", asked, up=(200, 401), bin=place.folder
    )
    return process.run(program, log_dir, tell)
