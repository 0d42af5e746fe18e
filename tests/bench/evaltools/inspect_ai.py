"""Inspect: a task file of ours, its own openai-compatible provider, its own log."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
from truth import MODEL

from evaltools import CONCURRENCY, LEFT, TOKENS, EvalTool, EvalWork, Questions, Scored, lines, newest

TASK = "inspect_task.py"
_LENGTHS_AT = 26
"""Where the head of a file in a zip archive tells the lengths of what follows it."""


def command(work: EvalWork, root: str, questions: Questions, folder: Path, bin_: Path) -> list[str | Path]:
    """The task's path must be relative; the provider's address is a variable named after the provider."""
    shutil.copy(Path(__file__).with_name(TASK), folder / TASK)
    rows = [{"id": each.id, "input": each.prompt, "target": each.target} for each in questions.each]
    lines(folder / "questions.jsonl", rows)
    return [
        *("env", f"BENCH_BASE_URL={root}/v1", "BENCH_API_KEY=none", f"XDG_DATA_HOME={folder / LEFT}"),
        *(bin_ / "inspect", "eval", TASK, "--model", f"openai-api/bench/{MODEL}", "--limit", str(work.requests)),
        *("--max-connections", str(CONCURRENCY), "--max-samples", str(CONCURRENCY)),
        *("--max-tokens", str(TOKENS), "--temperature", "0", "--display", "none", "--log-dir", folder / LEFT / "logs"),
        *(("--retry-on-error", "3", "--no-fail-on-error") if work.stubborn else ()),
    ]


def read(folder: Path) -> Scored:
    """The summaries in its log: each sample has scores or an error; a run that was broken off may have none."""
    told = json.loads(entry(newest(folder, "*.eval"), "summaries.json") or "[]")
    scored = sum(bool(row.get("scores")) and not row.get("error") for row in told)
    return Scored(scored, sum(bool(row.get("error")) for row in told))


def entry(archive: Path, name: str) -> bytes:
    """A file in a zip archive that is packed with Zstandard, which Python's own reader does not know; empty: none."""
    with zipfile.ZipFile(archive) as found:
        if name not in found.namelist():
            return b""
        info = found.getinfo(name)
    with archive.open("rb") as raw:
        raw.seek(info.header_offset + _LENGTHS_AT)
        raw.seek(sum(struct.unpack("<HH", raw.read(4))), os.SEEK_CUR)  # of the name and of what more is said
        packed = raw.read(info.compress_size)
    return packed if info.compress_type == zipfile.ZIP_STORED else _unpacked(packed)


def _unpacked(packed: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read())


TOOL = EvalTool(
    "inspect-ai",
    "0.3.285",
    command,
    read,
    packages=("inspect-ai==0.3.285", "openai==3.54.0"),
    stubborn="--retry-on-error 3 --no-fail-on-error",
)
