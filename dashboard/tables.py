"""Tables for reading: our own HTML, because Streamlit's static table obeys Markdown inside its cells.

Numbers stand right, words left; a wide table scrolls in its own box; colours follow the theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import streamlit as st

from harness.report.charts.marks import colour, glyph
from harness.report.inert import markup
from harness.report.words import NOTHING

_STYLE = """<style>
.eh {overflow-x:auto}
.eh table {border-collapse:collapse; width:100%; font-size:.875rem; line-height:1.35; margin:0}
.eh th, .eh td {padding:.38rem .7rem; text-align:left; vertical-align:top; border:0; background:none;
  border-bottom:1px solid rgba(128,128,128,.28)}
.eh th {font-weight:600}
.eh thead th {opacity:.75; font-weight:400; white-space:nowrap; vertical-align:bottom}
.eh thead th[title] {text-decoration:underline dotted 1px; text-underline-offset:3px; cursor:help}
.eh .n {text-align:right; white-space:nowrap; font-variant-numeric:tabular-nums}
.eh .w {overflow-wrap:anywhere; min-width:7rem; white-space:pre-wrap}
.eh .e {min-width:12rem}
.eh td.none {opacity:.55}
.eh .mark {display:inline-block; width:1.4em}
</style>"""


class Column(NamedTuple):
    """Head of a column."""

    name: str
    meaning: str = ""
    """Shown when the pointer rests on the head."""
    numeric: bool = False


def number(name: str, meaning: str = "") -> Column:
    """Head of a column of numbers."""
    return Column(name, numeric=True, meaning=meaning)


class Cell(NamedTuple):
    """A cell with the mark that its endpoint has in the charts."""

    text: str
    mark: int


def show(label: str, columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> None:
    """Draw a table; ``label`` is what a screen reader says. The first column heads its rows."""
    st.html(_STYLE + as_html(label, columns, rows))


def as_html(label: str, columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> str:
    """The table alone."""
    head = "".join(_head(column) for column in columns)
    body = "".join(
        f"<tr>{''.join(_cell(column, cell, i) for i, (column, cell) in enumerate(zip(columns, row, strict=True)))}</tr>"
        for row in rows
    )
    name = markup(label)
    return (
        f'<div class="eh" tabindex="0" role="region" aria-label="{name}"><table aria-label="{name}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(column: Column) -> str:
    title = f' title="{markup(column.meaning)}"' if column.meaning else ""
    return f'<th scope="col" class="{_kind(column)}"{title}>{markup(column.name)}</th>'


def _cell(column: Column, cell: str | Cell, place: int) -> str:
    text = cell.text if isinstance(cell, Cell) else cell
    mark = _mark(cell.mark) if isinstance(cell, Cell) else ""
    kind = _kind(column) + (" e" if mark else "") + (" none" if text == NOTHING else "")
    tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
    return f'<{tag}{scope} class="{kind}">{mark}{markup(text)}</{tag}>'


def _kind(column: Column) -> str:
    return "n" if column.numeric else "w"


def _mark(mark: int) -> str:
    """The shape and colour of this endpoint in the charts."""
    return f'<span class="mark" aria-hidden="true" style="color:{colour(mark)}">{glyph(mark)}</span>'
