"""The conformance matrix of real servers: installs and starts each on loopback, probes it, writes docs/matrix.md.

Run as a program: ``python tests/matrix/run.py --markdown docs/matrix.md`` (make matrix).
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

sys.path.insert(0, str(Path(__file__).parents[1]))
from real_servers import ROOT, SERVERS, Server, converted, home, weights

OWN = "llama.cpp"
"""The embedded default."""
MEASURED = (OWN, "llama-cpp-python", "transformers", "vllm")
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"


def main() -> None:
    """Probe what was asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(MEASURED))
    parser.add_argument("--profile", default="full")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "matrix")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    home().mkdir(parents=True, exist_ok=True)
    given.results.mkdir(parents=True, exist_ok=True)
    weights()
    runs, told = [], []
    for name in given.only.split(","):
        if name == OWN:
            runs.append(probe(given.results, given.profile, "local/smollm2", None))
            told.append("llama.cpp: xllamacpp, the embedded default (`local/smollm2`)")
            continue
        SERVERS[name].install()
        run = probe(given.results, given.profile, f"{name}/smollm2", block(SERVERS[name], given.results))
        runs.append(run)
        manifest = json.loads((given.results / "runs" / run / "run.json").read_text())
        told.append(f"{name}: {manifest['endpoints'][0]['engine_version']}")
    if given.markdown:
        write(given.markdown, given.results, runs, told, hidden=converted())


def block(server: Server, folder: Path) -> Path:
    """The server in a providers file; JSON is YAML."""
    path = folder / f"{server.name}.yaml"
    path.write_text(json.dumps({"providers": {server.name: server.provider()}}))
    return path


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
