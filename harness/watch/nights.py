"""What a watch remembers: one line of ``results/watch/history.jsonl`` for each night, run or missed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from harness.record.folder import storing

Word = Literal["pass", "fail", "usage", "error", "inconclusive", "store", "interrupted", "failed", "missed"]
_WORDS: dict[int, Word] = {
    0: "pass",
    1: "fail",
    2: "usage",
    3: "error",
    4: "inconclusive",
    5: "store",
    130: "interrupted",
}
_TAIL_BYTES = 4_000_000
"""Of the history, what is read at its end: some thousand nights."""


@dataclass(frozen=True, slots=True)
class Night:
    """One night of one suite."""

    suite: str
    due: str
    """ISO 8601, UTC."""
    word: Word
    n: int = 1
    """How many were missed; of one that ran, 1."""
    began: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    """Of ``harness run``; None: missed."""
    run: str | None = None
    """Id of the run; None: none was made."""
    worse: tuple[str, ...] = ()
    """What the gate found to be worse or not measurable, one line each."""

    @property
    def due_at(self) -> datetime:
        """When it was due."""
        return datetime.fromisoformat(self.due)


def word_of(exit_code: int) -> Word:
    """What an exit code of the command line says."""
    return _WORDS.get(exit_code, "failed")


def folder_of(results: Path) -> Path:
    """Where a watch keeps its lock, its history and the last verdict."""
    return results / "watch"


def add(results: Path, night: Night) -> None:
    """Write one line more; StoreError when the disk refuses."""
    path = folder_of(results) / "history.jsonl"
    with storing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, b"\n" * torn + json.dumps(asdict(night)).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def of_suite(results: Path, suite: str) -> list[Night]:
    """The last nights of a suite, oldest first; lines that cannot be read are left out."""
    return [night for night in _read(folder_of(results) / "history.jsonl") if night.suite == suite]


def _read(path: Path) -> Iterator[Night]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            said = json.loads(line)
            night = Night(**{**said, "worse": tuple(said.get("worse") or ())})
            if night.due_at.tzinfo is not None:
                yield night
        except (ValueError, TypeError, AttributeError):
            continue
