"""llama.cpp's own server (from the package xllamacpp) with a small real model, in a child process on loopback."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from harness.engines import Running, Tell, child
from harness.engines.options import FLAG, TEXT, checked, flags, whole
from harness.engines.ports import must_be_free
from harness.engines.weights import WEIGHTS, find
from harness.errors import EngineError, UnknownName

READY_S = 120.0
"""Seconds until the server must answer; a small model takes one, a large file on a slow disk much longer."""
_TEMPLATES = Path(__file__).parent / "templates"
_NUMBERS = {
    "parallel": whole(1, 256),
    "context": whole(64, 1 << 20),
    "threads": whole(1, 1024),
    "port": whole(0, 65535),
}
_KNOWN = {"model": TEXT, "alias": TEXT, "chat_template": TEXT, **_NUMBERS, "embeddings": FLAG}


class _Model(NamedTuple):
    file: Path
    alias: str
    template: Path | None


def start(options: Mapping[str, Any], log_dir: Path | None, tell: Tell) -> Running:
    """Start a server and wait until it answers.

    Options: ``model`` (a name of ``harness models list``, or the path of a .gguf file; default smollm2), ``alias``
    (what the server calls it), ``chat_template`` (path of a Jinja template; default: ours where we have one, else the
    model's own), ``parallel`` (requests answered at once, 8), ``context`` (tokens of one request, 2048), ``threads``
    (all processors but one, at most 8), ``port`` (a free one), ``embeddings`` (false; true: it answers
    them too, the mean over the states of a text's tokens).
    Raises ConfigError or UnknownName for a wrong option, EngineError when it cannot start.
    """
    model = _model(checked("llama_cpp", options, _KNOWN))
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineError("the package xllamacpp is not installed", hint="pip install 'endpoint-harness[local]'")
    must_be_free(options.get("port", 0))
    argv = [sys.executable, "-m", "harness.engines.llama_cpp_server", "--model", str(model.file)]
    argv += ["--alias", model.alias]
    argv += ["--template", str(model.template)] if model.template else []
    argv += flags(options, {name: f"--{name}" for name in _NUMBERS})
    argv += ["--embeddings"] if options.get("embeddings") else []
    with ExitStack() as stack:
        if log_dir is None:
            log_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llama-cpp-")))
        log = log_dir / f"llama-cpp-{model.file.stem}.log"
        process, ready = child.spawn(argv, log=log, ready_timeout_s=READY_S, tell=tell)
        stack.callback(child.stop, process)
        stop = stack.pop_all().close
    return Running(ready["base_url"], ready["version"], pid=process.pid, log=log, ended=process.poll, stop=stop)


def _model(options: Mapping[str, Any]) -> _Model:
    wanted = options.get("model", "smollm2")
    if wanted in WEIGHTS:
        weights = WEIGHTS[wanted]
        found = find(weights)
        if found is None:
            raise EngineError(f"the weights of {wanted} are not on this machine", hint=f"harness models pull {wanted}")
        file, alias, template = found, weights.model_id, _TEMPLATES / f"{wanted}.jinja"
    elif wanted.endswith(".gguf"):
        file, template = Path(wanted).expanduser(), None
        alias = file.stem
        _must_be_gguf(file)
    else:
        raise UnknownName("local model", wanted, WEIGHTS, where="Or give the path of a .gguf file")
    if chosen := options.get("chat_template"):
        template = Path(chosen).expanduser()
        if not template.is_file():
            raise EngineError(f"there is no chat template {chosen}", hint="serve.chat_template is a path")
    return _Model(file.resolve(), options.get("alias", alias), template.resolve() if template else None)


def _must_be_gguf(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            magic = opened.read(4)
    except OSError as error:
        raise EngineError(f"cannot read the model {file}: {error.strerror}") from None
    if magic != b"GGUF":
        raise EngineError(f"{file} is not a GGUF file")
