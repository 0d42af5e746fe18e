"""A document as Markdown for a pull request: short at a glance, long tables folded, harmless whatever it holds.

What a server, a model or a data set wrote stands in it as text: it can end no cell, be no markup, mention nobody and
link nowhere. Plain words stay as they are; whatever could mean something goes into a code span, where nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from harness.report.document import Block, Chart, Document, Grid, Note, Part, Said
from harness.report.words import plain

_LONG = 12
"""Rows from which on a table is folded."""
_WORDS = re.compile(r"(?:[^\W_]|(?<=\w)_(?=\w)|[ ,.;:/%()=?'\"…·×±+−–—-]|\[(?=[^\[\]()]*\](?!\())|(?<!!)\])*")
"""Text that is no markup: letters, digits, single underscores inside words, and brackets that make no link."""
_LINKS = re.compile(r"://|www\.|\bGH-\d|^\s*[-+=]|^\s*\d+[.)]\s", re.IGNORECASE)
"""What is a link, a mention of an issue, a list or a heading though it has no sign of markup."""


def markdown(document: Document) -> str:
    """The whole text, ending in a newline; charts stand in it as the tables that other parts have of them already."""
    return "\n".join(_lines(document)) + "\n"


def text(value: str) -> str:
    """Words of others on one line, as they are where they mean nothing else, and as code where they might."""
    line = " ".join(plain(value).split())
    if _WORDS.fullmatch(line) and not _LINKS.search(line):
        return line
    fence = "`" * (1 + max((len(found) for found in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def row(cells: Sequence[str]) -> str:
    """A row of a table."""
    # Inside a table a bar ends the cell even in a code span, and its escape is taken away there.
    return f"| {' | '.join(text(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _lines(document: Document) -> Iterator[str]:
    yield f"## {text(document.title)}"
    for note in document.about:
        yield from ("", _note(note))
    for part in document.parts:
        yield from _part(part, 3)
    yield from ("", "---", "")
    for note in document.foot:
        yield from (_note(note), "")


def _part(part: Part, level: int) -> Iterator[str]:
    shown = [block for block in part.blocks if not isinstance(block, Chart)]
    if not shown:
        return
    yield ""
    if part.folded:
        yield from ("<details>", f"<summary>{escape(plain(part.title))}</summary>")
    else:
        yield f"{'#' * level} {text(part.title)}"
    for block in shown:
        yield from _block(block, min(level + 1, 6))
    if part.folded:
        yield from ("", "</details>")


def _block(block: Block, level: int) -> Iterator[str]:
    if isinstance(block, Part):
        yield from _part(block, level)
    elif isinstance(block, Note):
        yield from ("", _note(block))
    elif isinstance(block, Grid):
        yield from _grid(block)
    elif isinstance(block, Said):
        yield from ("", text(block.title), "", *_fenced(block.text))


def _note(note: Note) -> str:
    said = text(note.text.strip())
    if note.weight == "warning":
        return f"> {said}"
    return f"**{said}**" if note.weight == "strong" else said


def _grid(grid: Grid) -> Iterator[str]:
    rule = "".join("---|" if place < grid.words_first else "---:|" for place in range(len(grid.columns)))
    table = ["", row(grid.columns), f"|{rule}", *(row(cells) for cells in grid.rows)]
    if len(grid.rows) > _LONG:
        summary = f"{escape(plain(grid.title))} ({len(grid.rows)} rows)"
        yield from ("", "<details>", f"<summary>{summary}</summary>", *table, "", "</details>")
    else:
        yield from ("", f"**{text(grid.title)}**", *table)


def _fenced(said: str) -> Iterator[str]:
    lines = plain(said)
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", lines)), default=0))
    yield from (f"{fence}text", *lines.splitlines(), fence)
