"""A document as Markdown for a pull request: short at a glance, long tables folded, harmless whatever it holds.

What a server, a model or a data set wrote stands in it as text: it can end no cell, be no markup, mention nobody and
link nowhere. Plain words stay as they are; whatever could mean something goes into a code span, where nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from harness.report.document import Block, Cards, Chart, Document, Grid, Note, Part, Said
from harness.report.words import plain

_LONG = 12
"""Rows from which on a table is folded."""
_PLAIN = re.compile(
    r"(?:[^\W_]|(?<=\w)_(?=\w)|[ ,.;:/%()=?'\"…·×±≥≤→+−–—-]|\[(?=[^\[\]()]*\](?![(\[:]))|(?<=[^\[\]()])\](?![(\[:]))*"
)
"""Text that is no markup: letters, digits, single underscores inside words, and brackets that make no link."""
_MEANING = re.compile(r"://|www\.|\bGH-\d|:\w+:", re.IGNORECASE)
"""What is a link, a mention of an issue or a picture though it has no sign of markup."""
_FIRST = re.compile(r"[-+=\[]|\d+[.)]$")
"""With what a line begins that is a list, a heading or the address of a link."""


def markdown(document: Document) -> str:
    """The whole text, ending in a newline; charts stand in it as the tables that other parts have of them already."""
    return "\n".join(_lines(document)) + "\n"


def text(value: str) -> str:
    """Words of others on one line: as they are where they mean nothing else, and those that might as code."""
    line = " ".join(plain(value).split())
    if _harmless(line):
        return line
    said = []
    for harmless, some in groupby(line.split(), _harmless):
        joined = " ".join(some)
        said.append(joined if harmless else _code(joined))
    return " ".join(said)


def _harmless(said: str) -> bool:
    return _PLAIN.fullmatch(said) is not None and _MEANING.search(said) is None


def _code(said: str) -> str:
    fence = "`" * (1 + max((len(found) for found in re.findall("`+", said)), default=0))
    pad = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{fence}{pad}{said}{pad}{fence}"


def _paragraph(value: str) -> str:
    """Text that begins a line."""
    said = text(value)
    first, space, rest = said.partition(" ")
    return f"{_code(first)}{space}{rest}" if _FIRST.match(first) else said


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
    for weight, run in groupby(shown, lambda block: block.weight if isinstance(block, Note) else ""):
        blocks = list(run)
        if weight not in ("", "command") and len(blocks) > 1:
            # Lines of one kind are a list.
            yield ""
            mark = "> - " if weight == "warning" else "- "
            yield from (f"{mark}{_paragraph(block.text)}" for block in blocks if isinstance(block, Note))
            continue
        for block in blocks:
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
    elif isinstance(block, Cards):
        yield from _grid(block.table)
    elif isinstance(block, Said):
        yield from ("", text(block.title), "", *_fenced(block.text))


def _note(note: Note) -> str:
    if note.weight == "command":
        return _code(plain(" ".join(note.text.split())))
    said = _paragraph(note.text)
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
