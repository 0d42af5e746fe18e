"""What stands in the pages: their blocks, their `harness` commands, their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCED = re.compile(
    r"^(?P<mark>`{3,}) ?(?P<kind>\w*)(?: (?P<file>\S+))?\n(?P<text>.*?)^(?P=mark)$", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"^ {4}(?=harness )(.*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`(harness [^`]+)`(?!`)")
_COMMENT = re.compile(r"\s{2,}#.*|\s+# exit code .*")
_EXIT = re.compile(r"# exit code (\d+)")


class Block(NamedTuple):
    """A fenced block."""

    kind: str
    """The word behind the fence: ``sh`` is executed by a test, ``bash`` and others are only read."""
    file: str
    """What it is the content of; empty: of nothing."""
    text: str


class Command(NamedTuple):
    """A line that begins with `harness`."""

    page: str
    text: str
    """Without comment and prompt."""
    exit_code: int
    """What a comment behind it says; else 0."""


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page in their order."""
    return [Block(one["kind"], one["file"] or "", one["text"]) for one in _FENCED.finditer(text)]


def commands_of(block: str, page: str = "") -> Iterator[Command]:
    """The harness commands of a block; a line that ends with a backslash goes on in the next."""
    for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
        said = re.sub(r"^\s*(?:\$ |- run: |run: )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?=harness )", "", line)
        if said.startswith("harness ") and (text := _COMMENT.sub("", said).strip()) != "harness":
            code = _EXIT.search(said)
            yield Command(page, text, int(code[1]) if code else 0)


def commands(path: Path, root: Path = ROOT) -> Iterator[Command]:
    """Every command of a page: in blocks, in indented lines, and between backticks in its text."""
    page, text = str(path.relative_to(root)), path.read_text("utf-8")
    for block in blocks(text):
        yield from commands_of(block.text, page)
    prose = _FENCED.sub("", text)
    for said in (*_INDENTED.findall(prose), *(re.sub(r"\s+", " ", one) for one in _INLINE.findall(prose))):
        yield from commands_of(said, page)


def links(text: str) -> list[str]:
    """Where links and pictures of a page lead, those to other sites and inside blocks left out."""
    prose = re.sub(r"`[^`]*`", "", _FENCED.sub("", text))
    found: list[str] = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [one for one in found if "://" not in one and not one.startswith("mailto:")]
