"""The conformance matrix of real servers: installs and starts each on loopback, probes it, writes docs/matrix.md.

Run as a program: ``python tests/matrix/run.py --markdown docs/matrix.md`` (make matrix). The environments lie in
``HARNESS_MATRIX_ENVS``, or ``~/.cache/endpoint-harness-matrix``; together they take about 5 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from servers import SERVERS, Place, Server, free_port, install, started, version

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "harness" / "engines" / "templates" / "smollm2.jinja"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
_CONVERT = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
folder, name, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, quantization_config=GgufConfig(dequantize=True))
model.save_pretrained(out)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
"""


def main() -> None:
    """Probe what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(["llama.cpp", *(server.name for server in SERVERS)]))
    parser.add_argument("--profile", default="full")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "matrix")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    home = Path(os.environ.get("HARNESS_MATRIX_ENVS") or Path.home() / ".cache" / "endpoint-harness-matrix")
    home.mkdir(parents=True, exist_ok=True)
    given.results.mkdir(parents=True, exist_ok=True)
    gguf, hf = weights(), home / "smollm2"
    runs, told = [], []
    for name in given.only.split(","):
        if name == "llama.cpp":
            runs.append(probe(given.results, given.profile, "local/smollm2", None))
            told.append("llama.cpp: xllamacpp, the embedded default (`local/smollm2`)")
            continue
        server = next(one for one in SERVERS if one.name == name)
        python = install(server, home)
        if not hf.exists():
            convert(home, gguf, hf)
        place = Place(python, free_port(), gguf, hf, TEMPLATE)
        with started(server, place, given.results / f"{name}.log") as base_url:
            providers = given.results / f"{name}.yaml"
            providers.write_text(block(server, place, base_url))
            runs.append(probe(given.results, given.profile, f"{name}/smollm2", providers))
        told.append(f"{name}: {server.distribution} {version(server, python)}")
    if given.markdown:
        write(given.markdown, given.results, runs, told, hidden=hf)


def weights() -> Path:
    """The model that all servers serve."""
    command = [sys.executable, "-m", "harness", "models", "pull", "smollm2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return Path(done.stdout.split(" (")[0].strip().splitlines()[-1])


def convert(home: Path, gguf: Path, hf: Path) -> None:
    """The same weights in the format of transformers."""
    server = next(one for one in SERVERS if one.name == "transformers")
    python = install(server, home)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "gguf"], check=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, "-c", _CONVERT, gguf.parent, gguf.name, hf], check=True, env=environment)


def block(server: Server, place: Place, base_url: str) -> str:
    """The server as a providers file; JSON is YAML."""
    fields = {
        "kind": "local",
        "base_url": base_url,
        "models": {"smollm2": server.model(place)},
        "quirks": {"max_tokens_field": "max_tokens"},
        "deadlines": {"first_byte_s": 60, "idle_s": 60, "total_s": 120},
    }
    return json.dumps({"providers": {server.name: fields}})


def probe(results: Path, profile: str, endpoint: str, providers: Path | None) -> str:
    """Probe one endpoint; gives the run's id."""
    command = [sys.executable, "-m", "harness", "probe", "-e", endpoint, "--profile", profile, "--json"]
    command += ["--results", str(results)] + (["--providers", str(providers)] if providers else [])
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    run: str = json.loads(done.stdout)["run"]["id"]
    return run


def write(page: Path, results: Path, runs: list[str], told: list[str], *, hidden: Path) -> None:
    """Put the matrix into the page, between its marks; ``hidden``: a folder whose place is of no interest."""
    path = results / "matrix.md"
    command = [sys.executable, "-m", "harness", "probe", "matrix", *runs, "--md", str(path), "--results", str(results)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    machine = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = [f"Measured on {datetime.now(UTC).date()}: {machine}; SmolLM2-135M-Instruct everywhere.", ""]
    head += [f"- {line}" for line in told]
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page} lacks {BEGIN} or {END}")
    body = "\n".join(head) + "\n\n" + path.read_text("utf-8").rstrip()
    body = body.replace(str(hidden), hidden.name).replace(str(Path.home()), "~")
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
