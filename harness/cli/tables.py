"""Rows as people, pipes and programs want them: a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 100_000
"""Columns when the output is no terminal: nothing is cut off for a program that reads on."""
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if code != 10}

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; a NULL is an empty cell, and control characters of answers cannot reach the terminal.

    A rich ``Text`` keeps its colours. Nothing is cut off: a narrow terminal gets more lines.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    found = [list(row) for row in rows]
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | float | Decimal) for row in found)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in found:
        table.add_row(*(_text(value) for value in row))
    console.print(table)


def _text(value: Any) -> Text:
    style = value.style if isinstance(value, Text) else ""
    return Text(cell(value).translate(_CONTROLS), style)


def cell(value: Any) -> str:
    """One value for a table or for CSV."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | dict):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(_plain(value))


def as_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A JSON list of one object for each row; decimals are numbers, NaN and infinities, which JSON lacks, are null."""
    objects = [{name: _finite(value) for name, value in zip(columns, row, strict=True)} for row in rows]
    return json.dumps(objects, indent=2, default=_plain, allow_nan=False)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV with a header line; floats keep every digit, a NULL is an empty field.

    Texts that others wrote reach neither a spreadsheet as a formula nor a terminal as a command: see ``harmless``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(harmless, columns))
    writer.writerows([value if isinstance(value, int | float) else _field(value) for value in row] for row in rows)
    return out.getvalue()


def harmless(text: str) -> str:
    """A text as a field of CSV: its controls are spelt out, and it is no formula, for then a quote comes before it.

    Source: OWASP, "CSV Injection": fields that begin with ``= + - @``, a tab or a return are taken for formulas.
    """
    spelt = text.translate(_CONTROLS)
    return f"'{spelt}" if text.startswith(_FORMULA) else spelt


def _field(value: Any) -> str:
    return harmless(value) if isinstance(value, str) else cell(value).translate(_CONTROLS)


def _plain(value: Any) -> Any:
    """What JSON has no word for, as text."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, dict):
        return {str(_plain(name)): _finite(part) for name, part in value.items()}
    return value
