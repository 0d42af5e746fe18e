"""Measure our evaluations beside those of other tools: ``python tests/bench/evals.py [--quick]``.

Every tool asks the same questions of the same server on this machine ``--repeats`` times, in turns; a tool that cannot
be installed or fails is shown with its reason. Not a test: nothing here is asserted.
"""

from __future__ import annotations

from pathlib import Path

import turns
from environments import NotHereError
from evaltools import LEFT, EvalTool, EvalWork, Scored, evalscope, inspect_ai, lm_eval, loops, ours, promptfoo
from evalworks import GSM8K, SHEET, WORKS, figures, questions, quick
from table import Figures
from truth import serve

TOOLS = (ours.TOOL, loops.AIOHTTP, loops.OPENAI, lm_eval.TOOL, promptfoo.TOOL, inspect_ai.TOOL, evalscope.TOOL)


def main() -> None:
    """See the module."""
    parser = turns.parser(__doc__, TOOLS, WORKS, "eval-results.json", repeats=3)
    parser.add_argument("--data", type=Path, default=GSM8K, metavar="FILE", help="GSM8K's test.jsonl")
    asked = turns.parsed(parser, TOOLS, WORKS)
    works = [work for work in WORKS if (work.name in asked.only if asked.only else not work.asked_only)]

    def run(tool: EvalTool, work: EvalWork, place: Path, folder: Path, machine: dict[str, str]) -> Figures:
        return _run(tool, work, place, folder, machine, asked.data)

    turns.carry_out(asked, TOOLS, [quick(work) for work in works] if asked.quick else works, SHEET, run)


def _run(tool: EvalTool, work: EvalWork, place: Path, folder: Path, machine: dict[str, str], data: Path) -> Figures:
    asked = questions(work, data, folder)
    (folder / LEFT).mkdir()
    with serve(work.shape, folder, simulated=bool(work.faults)) as server:
        command = tool.command(work, server.root, asked, folder, place)
        spent = turns.spend(command, folder, work.timeout_s, tool.environment, memory=True)
    assert server.truth is not None
    if not work.faults:
        machine["server"] = server.name
    if not len(server.truth.read):
        raise NotHereError("sent nothing")
    try:
        scored = tool.read(folder)
    except NotHereError:
        if not work.faults:
            raise
        scored = Scored(0, 0)  # what a fault can do to a tool is a figure
    return figures(work, server.truth, scored, spent, folder)


if __name__ == "__main__":
    main()
