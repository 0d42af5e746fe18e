"""The tutorials, carried out to the letter: files, commands, exit codes, and the shape of what they print."""

from __future__ import annotations

import re
import shlex
import signal
import time
import urllib.request
from pathlib import Path

import pytest
from made import WAIT_S, begin, harness
from pages_read import ROOT, blocks, commands_of

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
_NUMBER = re.compile(r"\[[^\]]*\]|\S*\d\S*|[–?*|+−%-]+")


def shape(line: str) -> list[str]:
    """The words of a line of output, without its numbers, intervals and marks."""
    return re.findall(r"[A-Za-z][\w./:-]*", _NUMBER.sub(" ", line))


def has(line: list[str], words: list[str]) -> bool:
    """Whether a line has these words in their order; it may have more, such as a mark behind its numbers."""
    rest = iter(line)
    return all(word in rest for word in words)


def unlike(sample: str, printed: str) -> str:
    """The first line of a sample that what was printed has none like, in its order; empty: they are of one shape."""
    left = iter([shape(line) for line in printed.splitlines()])
    for line in sample.splitlines():
        words = shape(line)
        if words and not any(has(one, words) for one in left):
            return line
    return ""


def looked_at(folder: Path, argv: list[str]) -> str:
    """Start a command that serves until it is ended, fetch its page, and end it; what it printed first."""
    with begin(folder, *argv) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            (address,) = re.findall(r"http://\S+", first)
            until = time.monotonic() + WAIT_S
            while not _answers(address) and time.monotonic() < until and process.poll() is None:
                time.sleep(0.1)
            assert process.poll() is None, "it ended by itself"
            assert _answers(address)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    return first


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=WAIT_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_as_it_says(page: Path, tmp_path: Path) -> None:
    """Its files are written, its commands run in order; each ends with the code that stands there, and prints so."""
    printed = ""
    for block in blocks(page.read_text("utf-8")):
        if block.file:
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.kind == "sh":
            printed = ""
            for command in commands_of(block.text):
                argv = shlex.split(command.text)[1:]
                if argv[0] == "dashboard":
                    printed += looked_at(tmp_path, argv)
                    continue
                done = harness(tmp_path, *argv)
                assert done.returncode == command.exit_code, (command.text, done.stdout, done.stderr)
                printed += done.stdout
        elif block.kind == "bash":
            printed = ""  # what is shown behind it was not printed here
        elif block.kind == "text" and printed:
            assert unlike(block.text, printed) == "", printed


def test_every_tutorial_is_carried_out() -> None:
    """There are four, and each has commands to run with something that they print."""
    assert len(TUTORIALS) == 4
    for page in TUTORIALS:
        kinds = [block.kind for block in blocks(page.read_text("utf-8"))]
        assert kinds.count("sh") >= 2, page
        assert kinds.count("text") >= 2, page


@pytest.mark.parametrize(
    ("sample", "printed", "missing"),
    [
        ("a/b  100 % [91–100]  better\n...\nTasks", "head\na/b  7 % [1–9]  better\nmore\nTasks  full", ""),
        ("a/b  100 %  better", "a/b  100 %  worse", "a/b  100 %  better"),
        ("one 1\ntwo 2", "two 2\none 1", "two 2"),
        ("p20", "p20", ""),
    ],
)
def test_shapes_are_told_apart(sample: str, printed: str, missing: str) -> None:
    """Numbers may differ; words and their order may not."""
    assert unlike(sample, printed) == missing
