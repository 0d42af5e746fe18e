"""The lockfile of verdicts: what counts as drift, what as unsure, and what is only told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, UsageError
from harness.report.conformance import lockfile


def found(revs: dict[str, int] | None = None, **verdicts: str) -> dict[str, Any]:
    """A run on one endpoint; the names of probes are written with a double underscore for the dot."""
    rows = [
        {
            "probe": name.replace("__", "."),
            "rev": (revs or {}).get(name, 1),
            "cells": {"p/m": {"verdict": word, "reason": f"{word} it is"}},
        }
        for name, word in verdicts.items()
    ]
    run = {"profile": "core", "harness_version": "0.1.0"}
    return {"run": run, "endpoints": [{"endpoint": "p/m"}], "probes": rows}


LOCKED = {"p/m": {"chat.basic": "supported", "tools.one": "rejected"}}


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        (found(chat__basic="supported", tools__one="rejected"), {}),
        (found(chat__basic="broken", tools__one="rejected"), {"chat.basic": "drift"}),
        (found(chat__basic="supported", tools__one="supported"), {"tools.one": "drift"}),
        (found(chat__basic="untestable", tools__one="rejected"), {"chat.basic": "unsure"}),
        (found(chat__basic="supported"), {"tools.one": "note"}),
        (found(chat__basic="supported", tools__one="rejected", new__one="broken"), {"new.one": "note"}),
        (found({"chat__basic": 2}, chat__basic="broken", tools__one="rejected"), {"chat.basic": "note"}),
    ],
)
def test_what_is_drift(now: dict[str, Any], kinds: dict[str, str]) -> None:
    """Another verdict is drift, better or worse; what could not be told is unsure; a changed suite is no drift."""
    assert {change.probe: change.kind for change in lockfile.compare(LOCKED, now)} == kinds


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """A file that a run wrote holds no change against that run, and tells a probe's later revisions."""
    path = tmp_path / "conformance.lock.yaml"
    now = found({"tools__one": 3}, chat__basic="supported", tools__one="broken")
    lockfile.write(path, now)
    assert lockfile.read(path) == {"p/m": {"chat.basic": "supported", "tools.one": "broken@3"}}
    assert lockfile.compare(lockfile.read(path), now) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("- 1", "must be a mapping"),
        ("format: 9\nendpoints: {}", r"lock\.yaml:1: format: must be 1"),
        ("format: 1\nendpoints: 3", "endpoints: must be a mapping"),
        ("format: 1\nendpoints:\n  p/m: x", r"lock\.yaml:3: endpoints\.p/m: must be a mapping"),
        ("format: 1\nendpoints:\n  p/m:\n    a.b: suported", r"lock\.yaml:4: .*'suported' is no verdict"),
        ("format: 1\nendpoints: {p/m: &a {a.b: *a}}", "lock.yaml"),
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    """It names file, line and field."""
    path = tmp_path / "lock.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        lockfile.read(path)


def test_a_strange_endpoint_is_refused() -> None:
    """Nothing can be said of an endpoint that is not locked."""
    with pytest.raises(UsageError, match="holds p/m, not x/y"):
        lockfile.refuse_strangers(LOCKED, ["p/m", "x/y"])
