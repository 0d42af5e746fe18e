"""A report as words, tables and charts, apart from where it is shown: terminal, HTML or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from harness.types import JsonObject

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from harness.report.decision.told import Card

Weight = Literal["plain", "quiet", "strong", "warning", "command"]
"""What a line is: a command is one to type, as it stands."""


class Note(NamedTuple):
    """One line of words; they may hold what others wrote, so whoever shows it makes it harmless."""

    text: str
    weight: Weight = "plain"


class Grid(NamedTuple):
    """A table whose cells are words already."""

    title: str
    words_first: int
    """So many columns hold words and stand left; the others hold numbers and stand right."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Chart(NamedTuple):
    """A picture with its numbers."""

    title: str
    figure: go.Figure
    says: str
    """What it shows, for those who cannot see it."""
    numbers: Grid
    """Everything that is drawn, in figures."""
    notes: tuple[str, ...] = ()
    """What is not drawn, and why."""


class Cards(NamedTuple):
    """Verdicts, a card each."""

    cards: tuple[Card, ...]
    table: Grid
    """The same as a table, for where there are no cards."""


class Said(NamedTuple):
    """Text that a model, a server or a data set wrote, as it came."""

    title: str
    text: str


class Part(NamedTuple):
    """A heading with what stands below it."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False
    """Whether a reader has to open it."""


Block: TypeAlias = "Note | Grid | Chart | Cards | Said | Part"


class Document(NamedTuple):
    """A whole report."""

    title: str
    about: tuple[Note, ...]
    parts: tuple[Part, ...]
    foot: tuple[Note, ...]
    """Where it comes from, and how to make it again."""
    numbers: JsonObject
    """The figures for machines, as ``--json`` prints them."""


def grid(title: str, words_first: int, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> Grid:
    """A table of whatever gives its columns and rows."""
    return Grid(title, words_first, tuple(columns), tuple(tuple(row) for row in rows))
