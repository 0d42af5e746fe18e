"""The examples of docs/tasks.md, carried out to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made import harness

from harness.prompts import columns
from harness.scorers import assertions, by_name
from harness.store.query import rows

TEXT = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the files of the page, after all its commands."""
    folder = tmp_path_factory.mktemp("tasks-page")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    for line in COMMANDS:
        argv = [word.strip("'") for word in line.split()]
        assert argv[0] == "harness"
        done = harness(folder, *argv[1:])
        assert done.returncode == 0, (line, done.stderr)
    return folder


def test_every_command_of_the_page_works(here: Path) -> None:
    """Each ends well, and the steady endpoint answers everything right."""
    assert len(COMMANDS) == 8
    query = (
        "select task, n_correct as n, n_planned as of from quality_summary where endpoint like 'steady%' order by all"
    )
    found = [tuple(row.values()) for row in rows(here / "results", query)]
    assert found == [("evals", 1, 1), ("my", 2, 2), ("promptfooconfig", 6, 6)]
    names = ("quality/colours.py", "tools/lamps.py", "quality/mine.py", "data/mine.jsonl")
    assert all((here / "tasks" / name).is_file() for name in names)


def test_the_page_names_every_column_and_scorer() -> None:
    """What is read and offered stands in its tables."""
    named = set(re.findall(r"`([\w-]+)(?:[:`])", TEXT))
    assert {*columns.ASKED, *columns.TARGETS, *columns.OTHERS} <= named
    assert set(assertions.TYPES) <= named
    shown = {one.name for one in by_name.known()} - {"bfcl", "ifeval"}  # whose targets only their own data sets have
    assert shown <= named
