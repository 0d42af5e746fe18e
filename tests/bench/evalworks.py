"""What is asked of every evaluation tool, and which figures are drawn from it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from environments import NotHereError
from evaltools import LEFT, EvalTool, EvalWork, Question, Questions, Scored
from table import Figures, Row, Sheet, net, of
from truth import ROOT, Truth

from tasks.quality.gsm8k import TASK

GSM8K = ROOT.parent / "shared" / "data" / "gsm8k" / "test.jsonl"
MIX = {"http 500": 5.0, "http 429": 5.0, "drop": 2.5, "malformed": 2.5}
STUBBORN = ("inspect-ai", "lm-eval", "promptfoo")

WORKS = (
    EvalWork("start", 10),
    EvalWork("clean", 1000),
    EvalWork("faults", 1000, faults=MIX),
    EvalWork("faults, stubborn", 1000, faults=MIX, stubborn=True, only=STUBBORN),
    EvalWork("empty", 1000, faults={"empty": 5.0}),
    EvalWork("10,000", 10_000, only=("ours", "aiohttp loop")),
    EvalWork("100,000", 100_000, only=("ours",), asked_only=True, timeout_s=900),
)


def quick(work: EvalWork) -> EvalWork:
    """The same with a tenth of the questions where they are many, to see that everything works."""
    return dataclasses.replace(work, requests=max(10, work.requests // 10))


def questions(work: EvalWork, data: Path, folder: Path) -> Questions:
    """So many rows of GSM8K's test split, from its first on, as the shipped task asks them."""
    if not data.is_file():
        raise NotHereError(f"GSM8K's test.jsonl is not beside this repository, nor named with --data: {data}")
    rows = itertools.islice(itertools.cycle(data.read_text().splitlines()), work.requests)
    source = folder / "gsm8k.jsonl"
    source.write_text("".join(f"{row}\n" for row in rows))
    each = [Question(one.id, one.messages[0]["content"], str(one.target)) for one in TASK.load(source)]
    return Questions(each, source)


def figures(work: EvalWork, truth: Truth, scored: Scored, spent: Mapping[str, Any], folder: Path) -> Figures:
    """Every figure of one run; CPU and wall are still gross, the tool's own start is taken off in the table.

    ``n_wrongly`` is the least number of scores that stand for no whole answer: more were scored than were sent whole.
    """
    whole = len(truth.fault) - sum(truth.bad().values())
    lost = work.requests - scored.n_scored
    found: Figures = {"n_scored": scored.n_scored, "n_lost": lost, "n_silent": max(0, lost - scored.n_failed)}
    found |= {"n_seen": len(truth.read), "n_wrongly": max(0, scored.n_scored - whole), "code": spent["code"]}
    found |= {key: spent[key] for key in ("wall_s", "cpu_s", "peak_pss_mb", "peak_rss_mb")}
    sizes = (path.stat().st_size for path in (folder / LEFT).rglob("*") if path.is_file() and not path.is_symlink())
    return found | {"left_mb": sum(sizes) / 1e6, "span_s": truth.seconds()}


# --- rows of the table ---------------------------------------------------------------------------------------

HEADS = {
    "start": "10 questions, whole command",
    "clean": "1,000 questions, whole command",
    "faults": "1,000 questions, 15% of answers spoilt (500, 429, cut, malformed)",
    "faults, stubborn": "the same, told to try again",
    "empty": "1,000 questions, 5% of answers empty",
    "10,000": "10,000 questions, whole command",
    "100,000": "100,000 questions, whole command",
}
"""Each work in the words of the table."""


def _cost(work: str) -> list[Row]:
    return [
        (work, "wall, s", of("wall_s")),
        (work, "CPU, s", of("cpu_s")),
        *([] if work == "start" else _paces(work)),
        (work, "peak memory (PSS of the tree), MB", of("peak_pss_mb")),
        (work, "peak memory (RSS of the tree), MB", of("peak_rss_mb")),
        (work, "kept on disk, MB", of("left_mb")),
        (work, "scored", of("n_scored")),
    ]


def _paces(work: str) -> list[Row]:
    return [
        (work, "CPU beyond its start, ms a question", _per_question),
        (work, "requests a second while it asks", lambda run, _: run["n_seen"] / run["span_s"]),
    ]


def _per_question(run: Figures, start: Figures | None) -> float | None:
    return net("cpu_s", 1e3, "n_scored")(run, start) if run["n_scored"] else None


def _damage(work: str) -> list[Row]:
    return [
        (work, "scored", of("n_scored")),
        (work, "lost", of("n_lost")),
        (work, "lost and not told as failed", of("n_silent")),
        (work, "scored with no whole answer behind it", of("n_wrongly")),
        (work, "requests sent", of("n_seen")),
        (work, "wall, s", of("wall_s")),
        (work, "exit code", of("code")),
    ]


ROWS: list[Row] = [
    *_cost("start"),
    *_cost("clean"),
    *_cost("10,000"),
    *_cost("100,000"),
    *_damage("faults"),
    *_damage("faults, stubborn"),
    *_damage("empty"),
]


def _notes(results: dict[str, Any], tools: Sequence[EvalTool]) -> list[str]:
    """What "told to try again" means for each."""
    done = {run["tool"] for run in results["runs"] if run["work"] == "faults, stubborn"}
    return [f"- {tool.name} is told to try again by {tool.stubborn}." for tool in tools if tool.name in done]


SHEET = Sheet({work.name: work.requests for work in WORKS}, HEADS, ROWS, _notes)
