"""Results as a file for other programs: a table, or what a query gives, as Parquet, CSV or JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from harness.errors import UnknownName, UsageError
from harness.record.folder import atomic_file
from harness.store import dictionary, query

Format = Literal["parquet", "csv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
_OPTIONS = {
    "parquet": "format parquet, compression zstd",
    "csv": "format csv, header",
    "jsonl": "format json",
}
_STEERING = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]"
"""Control characters that can steer a terminal; tab and line ends are not among them."""


def all_of(table: str) -> str:
    """The query for all of a table or view.

    Errors: UnknownName with the nearest names; UsageError for a macro, which is called.
    """
    known = dictionary.describe_tables()
    if table in known:
        return f"from {table}"
    if (macro := dictionary.describe_macros().get(table)) is not None:
        raise UsageError(f"{macro.call} is no table", hint=f"Ask it in a query: from {table}('RUN')")
    raise UnknownName("table", table, known)


def export(results: Path, text: str, target: Path, how: Format) -> int:
    """Write what a query gives into a file, replacing it whole or not at all; gives the number of rows.

    In CSV a text that a spreadsheet would take for a formula begins with an apostrophe, and control characters become
    U+FFFD; Parquet and JSON lines hold every text as it is. The query reads nothing but the results.

    Errors: UsageError when it is no query that reads, or fails; StoreError when there is no database or no room.
    """
    with atomic_file(target) as file:
        place = Path(file.name)
        with query.reading(results, text, writes=place) as (connection, asked):
            inner = _harmless(connection, asked) if how == "csv" else asked
            quoted = str(place).replace("'", "''")
            found = connection.execute(f"copy (\n{inner}\n) to '{quoted}' ({_OPTIONS[how]}, use_tmp_file false)")
            ((rows,),) = found.fetchall()
    return int(rows)


def _harmless(connection: query.Connection, asked: str) -> str:
    """The query with its texts, and the names of its columns, made such that neither spreadsheet nor terminal obeys."""
    described = connection.execute(f"describe {asked}").fetchall()
    names = [str(name) for name, *_ in described]
    if len(set(map(str.lower, names))) != len(names):
        raise UsageError("two columns of the query have one name", hint="Name them with `as`")
    columns = []
    for place, (name, kind, *_) in enumerate(described):
        value = f"c{place}"
        if kind == "VARCHAR":
            clean = f"regexp_replace({value}, '{_STEERING}', chr(65533), 'g')"
            value = f"case when regexp_matches({value}, '^[=+@\\t\\r-]') then '''' else '' end || {clean}"
        columns.append(f'{value} as "{_column(name)}"')
    inner = ", ".join(f"c{place}" for place in range(len(names)))
    return f"select {', '.join(columns)} from (\n{asked}\n) as t({inner})"  # noqa: S608 - a query of the user's own


def _column(name: str) -> str:
    return ("'" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else "") + name.replace('"', '""')
