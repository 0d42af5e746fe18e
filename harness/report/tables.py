"""The one look of a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from harness.report import words


def plain_table(
    title: str, words_first: int, columns: Sequence[str], rows: Iterable[Sequence[str]], *, close: bool = False
) -> Table:
    """A plain table: the first columns hold words and stand left, the others hold numbers and stand right.

    ``close`` leaves one space between columns, for tables of many.
    """
    table = Table(
        title=Text(words.plain(title)),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if close else (0, 1),
    )
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < words_first else "right", overflow="fold")
    for row in rows:
        # What a server or a model wrote must not be read as markup, nor move the cursor.
        table.add_row(*(Text(words.plain(cell)) for cell in row))
    return table
