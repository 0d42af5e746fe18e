"""Ours: ``harness eval gsm8k`` as a user runs it; its answers are streamed, as always."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from tools.ours import providers
from truth import MODEL

import harness
from evaltools import CONCURRENCY, LEFT, EvalTool, EvalWork, Questions, Scored, newest


def command(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """The shipped task over a local copy of its data."""
    return [
        *(bin_ / "harness", "eval", "gsm8k", "--limit", str(work.requests), "--data", questions.source),
        *("--endpoint", f"bench/{MODEL}", "--providers", providers(root, folder)),
        *("--concurrency", str(CONCURRENCY), "--results", folder / LEFT),
    ]


def read(folder: Path) -> Scored:
    """The sealed scores that have a value, and the samples whose last attempt failed."""
    scores = pq.read_table(newest(folder, "scores.parquet"), columns=["value"])
    attempts = pq.read_table(newest(folder, "attempts.parquet"), columns=["job_id", "number", "failure_kind"])
    last = {row["job_id"]: row["failure_kind"] for row in sorted(attempts.to_pylist(), key=lambda row: row["number"])}
    failed = sum(kind is not None for kind in last.values())
    unjudged = scores["value"].null_count
    return Scored(scores.num_rows - unjudged, failed + unjudged)


TOOL = EvalTool("ours", harness.__version__, command, read)
