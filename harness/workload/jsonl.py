"""Rows of a user's JSONL file, each with its line number; read without the libraries that ``harness.data`` needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from harness.errors import TaskError
from harness.types import JsonObject


def rows(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Each row with its line number, from 1 on; empty lines are passed over.

    TaskError: the file is missing or empty, or a line is no JSON object; it names file and line.
    """
    none = True
    for place, line in lines(path):
        if not line.strip():
            continue
        none = False
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise TaskError(f"{path} line {place}: not JSON: {reason}") from None
        if not isinstance(row, dict):
            raise TaskError(f"{path} line {place}: a row is a JSON object, this is a {type(row).__name__}")
        yield place, row
    if none:
        raise TaskError(f"{path}: no rows")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line of a UTF-8 text with its number, from 1 on; TaskError when it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            yield from enumerate(file, 1)
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: not UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from None


def sha256(path: Path) -> str:
    """Hex digest of the whole file; TaskError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from None
