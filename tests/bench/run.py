"""Measure our client against the truth and beside its peers: ``python tests/bench/run.py [--quick]``.

Every tool does every work ``--repeats`` times, in turns, against the same server on this machine; a tool that cannot be
installed or fails is shown with its reason. Not a test: nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import table
from tools import CACHE, NotHereError, Place, Tool, Work, aiperf, evalscope, guidellm, inference_perf, ours
from truth import ROOT, serve
from works import WORKS, figures, quick

sys.path.insert(0, str(ROOT / "tests"))
from loopback import certificate

TOOLS = (ours.TOOL, ours.WIRE, inference_perf.TOOL, aiperf.TOOL, evalscope.TOOL, guidellm.TOOL)


def main() -> None:
    """See the module."""
    asked = _arguments()
    tools = [tool for tool in TOOLS if tool.name.startswith("ours") or tool.name in asked.peers]
    if asked.render:
        results = json.loads(asked.render.read_text())
    else:
        soft_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft_hard[1], soft_hard[1]))  # inherited by server and clients
        results = _measure(asked, tools)
    text = table.render(results, tools)
    print(text)
    if asked.markdown:
        table.write(asked.markdown, text)


def _arguments() -> argparse.Namespace:
    peers = [tool.name for tool in TOOLS if tool.packages]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: shows that it runs, not how well")
    parser.add_argument("--only", action="append", metavar="WORK", help=f"of: {'; '.join(w.name for w in WORKS)}")
    parser.add_argument(
        "--peers", default=peers, type=lambda text: text.split(","), help=f"of: {','.join(peers)}, or none"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between this file's markers")
    parser.add_argument(
        "--json", type=Path, default=CACHE / "results.json", metavar="FILE", help="keep the figures here"
    )
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="measure nothing, show the figures kept in this file"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what every run wrote")
    asked = parser.parse_args()
    known = {*peers, "none", *(work.name for work in WORKS)}
    if unknown := {*asked.peers, *(asked.only or ())} - known:
        parser.error(f"not known: {', '.join(sorted(unknown))}")
    return asked


def _measure(asked: argparse.Namespace, tools: Sequence[Tool]) -> dict[str, Any]:
    """Install, then run all; the figures are written after every run, so that none is lost."""
    places: dict[str, Place] = {}
    results: dict[str, Any] = {"machine": table.machine(), "repeats": asked.repeats, "quick": asked.quick}
    results |= {"absent": {}, "runs": []}
    for tool in tools:
        print(f"{tool.name} {tool.version}: looking for its environment", file=sys.stderr, flush=True)
        try:
            places[tool.name] = tool.install()
        except NotHereError as reason:
            results["absent"][tool.name] = str(reason)
    works = [quick(work) if asked.quick else work for work in WORKS if not asked.only or work.name in asked.only]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    for repeat in range(asked.repeats):
        turn = repeat % len(tools)
        for work in works:
            for tool in [*tools[turn:], *tools[:turn]]:
                if tool.name in places and (tool.name in work.only if work.only else not tool.named_only):
                    run = _run(tool, work, places[tool.name], asked.keep, results["machine"])
                    results["runs"].append({"tool": tool.name, "work": work.name, "requests": work.requests} | run)
                    told = run.get("reason") or json.dumps(
                        {key: round(run["figures"][key], 3) for key in run["figures"]}
                    )
                    print(f"{repeat + 1}/{asked.repeats} {work.name}: {tool.name}: {told}", file=sys.stderr, flush=True)
                    asked.json.write_text(json.dumps(results))
    return results


def _run(tool: Tool, work: Work, place: Place, keep: Path | None, machine: dict[str, str]) -> dict[str, Any]:
    """One run of one tool: its figures, or the reason why there are none."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    made = tempfile.mkdtemp(prefix="run-", dir=keep) if keep else None
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(made or scratch)
        try:
            tls = certificate(folder) if work.tls else None
            with serve(work.shape, folder, tls=tls) as server:
                command = [str(word) for word in tool.command(work, server.root, folder, place)]
                spent = _spend(command, work, folder, tool)
            assert server.truth is not None
            if not work.tls:
                machine["server"] = server.name
            if not len(server.truth.read):
                raise NotHereError("sent nothing")
            return {"figures": figures(tool, work, server.truth, tool.read(folder), spent)}
        except NotHereError as error:
            return {"reason": f"{error}{_last_words(folder)}"}
        except (OSError, subprocess.SubprocessError, LookupError, ValueError, TypeError) as error:
            return {"reason": f"{type(error).__name__}: {error}{_last_words(folder)}"}


def _spend(command: list[str], work: Work, folder: Path, tool: Tool) -> dict[str, Any]:
    wrapper = [
        sys.executable,
        str(Path(__file__).with_name("spent.py")),
        str(folder / "spent.json"),
        str(work.timeout_s),
    ]
    wrapper += ["--memory"] if work.memory else []
    with (folder / "output.log").open("wb") as log:
        subprocess.run(
            [*wrapper, "--", *command],
            check=True,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **tool.environment},
        )
    spent: dict[str, Any] = json.loads((folder / "spent.json").read_text())
    if spent["overdue"]:
        raise NotHereError(f"was not through after {work.timeout_s:g} s")
    # Ours ends with a code of its own where requests failed, and some peers too: what counts is what they left.
    return spent


def _last_words(folder: Path) -> str:
    log = folder / "output.log"
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()] if log.is_file() else []
    return next((f" (its last words: {line[:160]})" for line in reversed(lines) if line), "")


if __name__ == "__main__":
    main()
