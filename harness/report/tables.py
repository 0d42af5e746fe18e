"""The one look of tables and lines in the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from harness.report import words
from harness.report.document import Grid, Note, Weight


def drawn(of: Grid, *, close: bool = False) -> Table:
    """A plain table in the terminal, an empty line above it.

    ``close`` leaves one space between columns, for tables of many.
    """
    table = Table(
        title=Text(words.plain(f"\n{of.title}")),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if close else (0, 1),
    )
    for position, column in enumerate(of.columns):
        table.add_column(column, justify="left" if position < of.words_first else "right", overflow="fold")
    for row in of.rows:
        # What a server or a model wrote must not be read as markup, nor move the cursor.
        table.add_row(*(Text(words.plain(cell)) for cell in row))
    return table


def written(of: Note) -> Text:
    """A line in the terminal; a warning is one without colour too."""
    return Text(words.plain(f"! {of.text}" if of.weight == "warning" else of.text), style=_STYLES[of.weight])


_STYLES: dict[Weight, str] = {"plain": "", "quiet": "dim", "strong": "bold", "warning": "yellow", "command": ""}
