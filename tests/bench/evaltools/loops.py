"""The floor: two loops of some thirty lines that ask, score by the last number, and keep a line a sample."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from truth import MODEL

from evaltools import CONCURRENCY, LEFT, TOKENS, EvalTool, EvalWork, Questions, Scored, lines, newest


def _command(script: str, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    asked = lines(folder / "questions.jsonl", map(asdict, questions.each))
    out = folder / LEFT / "scores.jsonl"
    return [
        bin_ / "python",
        Path(__file__).with_name(script),
        *(f"{root}/v1", MODEL, asked, out, str(CONCURRENCY), str(TOKENS)),
    ]


def aiohttp(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """Bare HTTP; five tries."""
    return _command("loop_aiohttp.py", root, questions, folder, bin_)


def openai(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """The official client with its own three tries."""
    return _command("loop_openai.py", root, questions, folder, bin_)


def read(folder: Path) -> Scored:
    """A line a sample: a score, or the error."""
    rows = [json.loads(line) for line in newest(folder, "scores.jsonl").read_text().splitlines()]
    scored = sum("score" in row for row in rows)
    return Scored(scored, len(rows) - scored)


AIOHTTP = EvalTool("aiohttp loop", "3.14.5", aiohttp, read, packages=("aiohttp==3.14.5",))
OPENAI = EvalTool("openai loop", "3.54.0", openai, read, packages=("openai==3.54.0",))
