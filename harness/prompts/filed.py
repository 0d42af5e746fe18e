"""A file of the user's own prompts as a run remembers it: where it lies and what was said about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from harness.data import KINDS, kind_of
from harness.errors import TaskError

MAX_TOKENS = 512
"""Output tokens of an answer where neither the user nor the row says otherwise."""

OF_ROWS = ("scorer", "prompt", "target")
"""Fields of ``Filed`` that a file with prompts and assertions of its own does without."""
SUITES = (".yaml", ".yml")
"""Suffixes of files that hold prompts and tests, in promptfoo's form."""
_SUITE_NAME = "promptfooconfig.json"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Filed:
    """A task that is a file, with everything that decides what is asked of whom and how it is scored."""

    name: str
    path: str
    """Absolute."""
    scorer: str | None = None
    """In the notation of ``harness.scorers.by_name``; None: the file says it."""
    prompt: str | None = None
    """Template with ``{column}`` fields; None: the column that holds the question is asked as it stands."""
    system: str | None = None
    """System message of rows without one; None: none."""
    target: str | None = None
    """Column of the target; None: the one with a usual name."""
    max_tokens: int = MAX_TOKENS
    temperature: float = 0.0

    @property
    def file(self) -> Path:
        """The file, relative to the working folder where it lies below it: so that messages are short."""
        path = Path(self.path)
        return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

    @property
    def of_text(self) -> bool:
        """Whether all its values are texts, as in a table without types."""
        return kind_of(Path(self.path)) in (".csv", ".tsv")


def is_suite(path: Path) -> bool:
    """Whether a file holds prompts and tests, by its name; otherwise it holds rows."""
    return path.suffix.lower() in SUITES or path.name == _SUITE_NAME


def file_named(word: str) -> Path | None:
    """The file that a word of the command line means; None: by its form it is the name of a task.

    A word with a slash or with a suffix of a data file is a path. TaskError when there is no such file, with the
    nearest name beside it.
    """
    path = Path(word)
    if kind_of(path) is None and not is_suite(path) and "/" not in word:
        return None
    if path.is_file():
        if kind_of(path) is None and not is_suite(path):
            kinds = ", ".join((*KINDS, *SUITES))
            raise TaskError(
                f"{path}: {path.suffix or 'no suffix'} is not a known kind of data file", hint=f"Give {kinds}"
            )
        return path
    if path.is_dir():
        raise TaskError(f"{path} is a folder", hint=f"Name the data files in it, as in {path}/NAME.jsonl")
    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    raise TaskError(
        f"no such data file: {path}", hint=f"Did you mean {path.parent / near[0]}?" if near else "Tasks have no slash"
    )


def name_of(path: Path, taken: Collection[str]) -> str:
    """The name of the task that a file is: its stem; where another task has it, its whole name or a number."""
    whole = path.name.removesuffix(".gz")
    plain = [_NOT_IN_A_NAME.sub("-", one).strip("-.") or "prompts" for one in (Path(whole).stem, path.name)]
    numbered = (f"{plain[0]}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (*plain, *numbered) if name not in taken)
