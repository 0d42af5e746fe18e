"""A reader of a pipe that has seen enough ends a command quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from published import attempt, make_run

from harness.store.index import publish

CALL = "import sys; from harness.cli import main; main(sys.argv[1:])"
COMMANDS = ["report", "runs show", "runs list", "db schema", "tasks show arithmetic", "probe list", "--help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_is_gone_is_no_error(command: str, tmp_path: Path) -> None:
    """The exit code is 0 and nothing is said, whether click, rich or Python meets the broken pipe."""
    ms: dict[str, float] = {"send0": 10, "tok1": 110, "vis1": 110, "tokn": 310, "eof": 330}
    make_run(tmp_path / "results", attempts=[attempt("a", ms=ms, completion_tokens=3, chunk_events=[1, 2])])
    publish(tmp_path / "results")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        argv = [sys.executable, "-c", CALL, *command.split()]
        done = subprocess.run(
            argv, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60, check=False
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
