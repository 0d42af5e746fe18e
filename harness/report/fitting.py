"""A document that fits a size: what is dear and least needed goes first, and it is said that it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from harness.errors import UsageError
from harness.report.document import Block, Chart, Document, Grid, Note, Part, Said

_ROWS = (100, 30, 10, 3)
"""To how many rows tables are cut, one after the other."""


def fitted(document: Document, write: Callable[[Document], str], most: int, unit: str) -> str:
    """The text of the document, of at most ``most`` ``unit`` (bytes or characters), with as much in it as fits.

    UsageError when not even the smallest fits.
    """
    for smaller in _smaller(document):
        text = write(smaller)
        size = len(text.encode()) if unit == "bytes" else len(text)
        if size <= most:
            return text
    raise UsageError(f"these runs do not fit into {most:,} {unit}", hint="Name fewer runs")


def _smaller(document: Document) -> Iterator[Document]:
    yield document
    told = "Left out, because the report would be too large"
    document = _without(document, Said, f"{told}: requests and answers.")
    yield document
    document = document._replace(numbers={key: document.numbers[key] for key in ("harness_version", "command")})
    for rows in _ROWS:
        yield _mapped(document, partial(_cut, most=rows))
    least = _mapped(_without(document, Chart, f"{told}: charts."), partial(_cut, most=_ROWS[-1]))
    yield least
    short = Note(f"{told}: most of each run.", "warning")
    yield least._replace(parts=tuple(map(_outline, least.parts)), about=(*least.about, short))
    heads = _mapped(document, partial(_cut, most=_ROWS[1])).parts[:2]
    left = Note(f"{told}: all parts but the first two.", "warning")
    yield document._replace(parts=tuple(_stripped(part, Chart) for part in heads), about=(*document.about, left))


def _outline(part: Part) -> Part:
    """A part with the first two of its own parts, which say what follows of a run and what was asked."""
    own = [block for block in part.blocks if isinstance(block, Part)][:2]
    return part._replace(blocks=tuple(block for block in part.blocks if not isinstance(block, Part) or block in own))


def _cut(block: Block, most: int) -> Block:
    """A table of so many rows, with a title that says how many there were."""
    if isinstance(block, Grid) and len(block.rows) > most:
        return block._replace(title=f"{block.title} (first {most} of {len(block.rows)})", rows=block.rows[:most])
    return block


def _without(document: Document, kind: type, told: str) -> Document:
    if not any(_holds(part, kind) for part in document.parts):
        return document
    kept = tuple(_stripped(part, kind) for part in document.parts)
    return document._replace(parts=kept, about=(*document.about, Note(told, "warning")))


def _holds(block: Block, kind: type) -> bool:
    return isinstance(block, kind) or (isinstance(block, Part) and any(_holds(each, kind) for each in block.blocks))


def _stripped(part: Part, kind: type) -> Part:
    blocks = tuple(
        _stripped(block, kind) if isinstance(block, Part) else block
        for block in part.blocks
        if not isinstance(block, kind)
    )
    return part._replace(blocks=blocks)


def _mapped(document: Document, change: Callable[[Block], Block]) -> Document:
    def of(block: Block) -> Block:
        if isinstance(block, Part):
            return block._replace(blocks=tuple(of(each) for each in block.blocks))
        if isinstance(block, Chart):
            numbers = change(block.numbers)
            assert isinstance(numbers, Grid)
            return block._replace(numbers=numbers)
        return change(block)

    parts = (of(part) for part in document.parts)
    return document._replace(parts=tuple(part for part in parts if isinstance(part, Part)))
