"""Tools take turns: every tool does every work so often, and the figures of each run are kept as soon as it ends."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import table
from environments import CACHE, NotHereError
from table import Figures, Sheet

Run = Callable[[Any, Any, Any, Path, dict[str, str]], Figures]
"""``run(tool, work, place, folder, machine)``: one run's figures; it may say more of the machine."""


def parser(
    doc: str | None, tools: Sequence[Any], works: Sequence[Any], kept: str, repeats: int
) -> argparse.ArgumentParser:
    """Of a program that measures ``tools`` at ``works``; ``kept`` is the name of its file of figures."""
    peers = [tool.name for tool in tools if tool.packages]
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0] if doc else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: shows that it runs, not how well")
    parser.add_argument("--only", action="append", metavar="WORK", help=f"of: {'; '.join(w.name for w in works)}")
    parser.add_argument(
        "--peers", default=peers, type=lambda text: text.split(","), help=f"of: {','.join(peers)}, or none"
    )
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between this file's markers")
    parser.add_argument("--json", type=Path, default=CACHE / kept, metavar="FILE", help="keep the figures here")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="measure nothing, show the figures kept in this file"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what every run wrote")
    return parser


def parsed(parser: argparse.ArgumentParser, tools: Sequence[Any], works: Sequence[Any]) -> argparse.Namespace:
    """What was asked, of names that are known."""
    asked = parser.parse_args()
    known = {"none", *(tool.name for tool in tools if tool.packages), *(work.name for work in works)}
    if unknown := {*asked.peers, *(asked.only or ())} - known:
        parser.error(f"not known: {', '.join(sorted(unknown))}")
    return asked


def carry_out(asked: Any, tools: Sequence[Any], works: Sequence[Any], sheet: Sheet, run: Run) -> None:
    """Measure, or take the figures of an earlier run, and show the table."""
    tools = [tool for tool in tools if not tool.packages or tool.name in asked.peers]
    results = json.loads(asked.render.read_text()) if asked.render else _measure(asked, tools, works, run)
    text = table.render(results, tools, sheet)
    print(text)
    if asked.markdown:
        table.write(asked.markdown, text)


def _measure(asked: Any, tools: Sequence[Any], works: Sequence[Any], run: Run) -> dict[str, Any]:
    """Install, then run all; the figures are written after every run, so that none is lost."""
    places: dict[str, Any] = {}
    results: dict[str, Any] = {"machine": table.machine(), "repeats": asked.repeats, "quick": asked.quick}
    results |= {"absent": {}, "runs": []}
    for tool in tools:
        print(f"{tool.name} {tool.version}: looking for its environment", file=sys.stderr, flush=True)
        try:
            places[tool.name] = tool.install()
        except NotHereError as reason:
            results["absent"][tool.name] = str(reason)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    for repeat in range(asked.repeats):
        turn = repeat % len(tools)
        for work in works:
            for tool in [*tools[turn:], *tools[:turn]]:
                if tool.name in places and (tool.name in work.only if work.only else not tool.named_only):
                    found = _run(tool, work, places[tool.name], asked.keep, results["machine"], run)
                    results["runs"].append({"tool": tool.name, "work": work.name, "requests": work.requests} | found)
                    told = found.get("reason") or json.dumps(
                        {key: round(value, 3) for key, value in found["figures"].items()}
                    )
                    print(f"{repeat + 1}/{asked.repeats} {work.name}: {tool.name}: {told}", file=sys.stderr, flush=True)
                    asked.json.write_text(json.dumps(results))
    return results


def _run(tool: Any, work: Any, place: Any, keep: Path | None, machine: dict[str, str], run: Run) -> dict[str, Any]:
    """One run of one tool: its figures, or the reason why there are none."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    made = tempfile.mkdtemp(prefix="run-", dir=keep) if keep else None
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(made or scratch)
        try:
            return {"figures": run(tool, work, place, folder, machine)}
        except NotHereError as error:
            return {"reason": f"{error}{_last_words(folder)}"}
        except (OSError, subprocess.SubprocessError, LookupError, ValueError, TypeError) as error:
            return {"reason": f"{type(error).__name__}: {error}{_last_words(folder)}"}


def spend(
    command: Sequence[str | Path], folder: Path, seconds: float, more: Mapping[str, str], *, memory: bool
) -> dict[str, Any]:
    """Run the command in ``folder`` and tell what it cost; NotHereError where it was not through in that time.

    ``more`` is added to the environment. The exit code is told, not judged: ours ends with a code of its own where
    requests failed, and some peers too. What counts is what they left.
    """
    wrapper = [sys.executable, str(Path(__file__).with_name("spent.py")), str(folder / "spent.json"), str(seconds)]
    wrapper += ["--memory"] if memory else []
    with (folder / "output.log").open("wb") as log:
        subprocess.run(
            [*wrapper, "--", *map(str, command)],
            check=True,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **more},
        )
    spent: dict[str, Any] = json.loads((folder / "spent.json").read_text())
    if spent["overdue"]:
        raise NotHereError(f"was not through after {seconds:g} s")
    return spent


def _last_words(folder: Path) -> str:
    log = folder / "output.log"
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()] if log.is_file() else []
    return next((f" (its last words: {line[:160]})" for line in reversed(lines) if line), "")
