"""Measure our client against the truth and beside its peers: ``python tests/bench/run.py [--quick]``.

Every tool does every work ``--repeats`` times, in turns, against the same server on this machine; a tool that cannot be
installed or fails is shown with its reason. Not a test: nothing here is asserted.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import turns
from environments import NotHereError
from table import Figures
from tools import Place, Tool, Work, aiperf, evalscope, guidellm, inference_perf, ours
from truth import ROOT, serve
from works import SHEET, WORKS, figures, quick

sys.path.insert(0, str(ROOT / "tests"))
from loopback import certificate

TOOLS = (ours.TOOL, ours.WIRE, inference_perf.TOOL, aiperf.TOOL, evalscope.TOOL, guidellm.TOOL)


def main() -> None:
    """See the module."""
    asked = turns.parsed(turns.parser(__doc__, TOOLS, WORKS, "results.json", repeats=5), TOOLS, WORKS)
    soft_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft_hard[1], soft_hard[1]))  # inherited by server and clients
    works = [quick(work) if asked.quick else work for work in WORKS if not asked.only or work.name in asked.only]
    turns.carry_out(asked, TOOLS, works, SHEET, _run)


def _run(tool: Tool, work: Work, place: Place, folder: Path, machine: dict[str, str]) -> Figures:
    tls = certificate(folder) if work.tls else None
    with serve(work.shape, folder, tls=tls) as server:
        command = tool.command(work, server.root, folder, place)
        spent = turns.spend(command, folder, work.timeout_s, tool.environment, memory=work.memory)
    assert server.truth is not None
    if not work.tls:
        machine["server"] = server.name
    if not len(server.truth.read):
        raise NotHereError("sent nothing")
    return figures(tool, work, server.truth, tool.read(folder), spent)


if __name__ == "__main__":
    main()
