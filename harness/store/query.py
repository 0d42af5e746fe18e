"""The door to DuckDB: opening the published database to read, building a new one, and asking it.

A reader attaches the file read-only to an instance of its own. So it sees the file that the path names now, even
where this process still has an older one open (instances are cached by path, attached files are not); it holds up no
publisher, which renames; and once settings are locked no SQL can reach another file, the network or a setting.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from harness import memory
from harness.errors import StoreError, UsageError
from harness.record.folder import results_option
from harness.record.versions import VERSION

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 11
"""Of the published tables and views; a database of another version is built anew, never migrated."""
_SCHEMA = (
    *("runs", "records", "samples"),
    *("attempts", "answers", "quality", "judging", "cost", "conformance"),
    *("load", "load_summary", "limits", "server", "summary", "running", "identity", "dialects"),
)
"""Files of ``schema``, tables first; each view stands after those it reads."""

Connection = duckdb.DuckDBPyConnection
DatabaseError = duckdb.Error
Params = Sequence[object] | Mapping[str, object]
"""Values for the places of a query: in their order, or by name."""

_HELD: ContextVar[tuple[Path | None, Connection | None]] = ContextVar("_HELD", default=(None, None))

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # SQL must not see this program's variables
    # What a step of a query frees goes back to the system before the next one takes its own; a block has 256 KB.
    "allocator_bulk_deallocation_flush_threshold": "256KB",
}
_SMALL_BYTES = 64 * 1024 * 1024
"""A database below this is asked by one thread: a second one costs more processor time and memory than it saves."""


class Table(NamedTuple):
    """Rows with the names of their columns."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def database_path(results: Path) -> Path:
    """Where the published database is."""
    return results / "harness.duckdb"


@contextmanager
def read_only(results: Path, *, writes: Path | None = None) -> Iterator[Connection]:
    """Open the published database to read, locked down; each use sees the newest one, but inside ``held``.

    ``writes`` is the only file that SQL can then reach.
    Errors: StoreError when there is none, or it is corrupt or of another version.
    """
    held_of, held_open = _HELD.get()
    if held_open is not None and held_of == results and writes is None:
        yield held_open
        return
    path = database_path(results)
    if not path.is_file():
        raise StoreError(f"{path} does not exist", hint=_rebuild(results))
    alone = {"threads": 1} if path.stat().st_size < _SMALL_BYTES else {}
    connection = duckdb.connect(":memory:", config=_SETTINGS | alone)
    try:
        if writes is not None:
            connection.execute(f"set allowed_paths = [{_quoted(writes)}]")
        _attach(connection, results)
        yield connection
    finally:
        connection.close()


@contextmanager
def held(results: Path) -> Iterator[None]:
    """Keep the database open for all questions of the block: they are answered by one and the same, and sooner.

    Errors: as ``read_only``.
    """
    with read_only(results) as connection:
        token = _HELD.set((results, connection))
        try:
            yield
        finally:
            _HELD.reset(token)


def _rebuild(results: Path) -> str:
    return f"Make it with `harness db rebuild{results_option(results)}`"


def _attach(connection: Connection, results: Path) -> None:
    path, hint = database_path(results), _rebuild(results)
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"attach '{quoted}' as harness (read_only)")
        connection.execute("use harness")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        version = connection.execute("select schema_version from store").fetchall()
    except duckdb.CatalogException:
        raise StoreError(f"{path} was not made by this harness", hint=hint) from None
    except duckdb.Error as error:
        raise StoreError(f"{path} cannot be read: {one_line(error)}", hint=hint) from error
    if version != [(SCHEMA_VERSION,)]:
        raise StoreError(f"{path} was made by another version of the harness", hint=hint)


def rows(results: Path, sql: str, params: Params = ()) -> list[dict[str, Any]]:
    """Ask in our own SQL; one dict for each row.

    Errors: as ``read_only``; StoreError too when the file turns out to be damaged.
    """
    with read_only(results) as connection, _damage_told(results):
        table = fetch(connection, sql, params)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def frame(results: Path, sql: str, params: Params = ()) -> pd.DataFrame:
    """Ask in our own SQL; a pandas frame. Errors as ``rows``."""
    with read_only(results) as connection, _damage_told(results):
        return connection.execute(sql, params).df()


@contextmanager
def _damage_told(results: Path) -> Iterator[None]:
    """A damaged block is found only when it is read; a mistake in our SQL stays a bug and shows as one."""
    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException) as error:
        raise StoreError(f"{database_path(results)} is damaged: {one_line(error)}", hint=_rebuild(results)) from error


def user_sql(results: Path, text: str) -> Table:
    """Ask in a user's SQL: one query that reads, and nothing else.

    Errors: UsageError of one line when it is no such query or fails; StoreError as ``read_only``.
    """
    with reading(results, text) as (connection, asked):
        return _fetch_user(connection, text, asked)


@contextmanager
def reading(results: Path, text: str, *, writes: Path | None = None) -> Iterator[tuple[Connection, str]]:
    """A locked connection and a user's query, proved to be one that reads; ``writes`` is the one file it may reach.

    Errors: as ``user_sql``, also for what goes wrong with the query inside the block.
    """
    with read_only(results, writes=writes) as connection:
        try:
            text.encode()  # an argument that is no UTF-8 is a mistake to be told like any other
            statements = connection.extract_statements(text)
            if len(statements) != 1:
                raise UsageError(f"give one query, not {len(statements)}")
            # Others could detach the read-only file and attach it again to write.
            if (kind := _kind(statements[0])) != "SELECT":
                raise UsageError(f"only queries are allowed here, not {kind}", hint="Start with select, from or show")
            yield connection, statements[0].query.strip().rstrip(";")
        except (duckdb.Error, UnicodeError) as error:
            raise UsageError(f"SQL: {one_line(error)}") from error


def _kind(statement: duckdb.Statement) -> str:
    """What a statement does; some kinds have a number only, and asking for their names is an error."""
    try:
        return str(statement.type).rpartition(".")[2]
    except ValueError:
        return "this kind of statement"


def fetch(connection: Connection, sql: str, params: Params) -> Table:
    """Everything at once: a half-read result would keep the connection busy."""
    result = connection.execute(sql, params)
    return Table([str(column[0]) for column in result.description or ()], result.fetchall())


def _fetch_user(connection: Connection, text: str, query: str) -> Table:
    """As ``_fetch``; a column that holds moments with a time zone comes as text.

    DuckDB makes Python objects of those with a package that we do not need otherwise.
    """
    result = connection.execute(text)
    described = result.description or ()
    names = [str(column[0]) for column in described]
    zoned = ["TIMESTAMP WITH" in str(column[1]) for column in described]
    if not any(zoned):
        return Table(names, result.fetchall())
    columns = ", ".join(f"c{place}{'::varchar' if is_so else ''}" for place, is_so in enumerate(zoned))
    aliases = ", ".join(f"c{place}" for place in range(len(names)))
    try:
        found = connection.execute(f"select {columns} from (\n{query}\n) as t({aliases})").fetchall()  # noqa: S608
    except duckdb.ParserException:
        name = names[zoned.index(True)]
        raise UsageError(f"SQL: column {name} has a time zone", hint="Cast it: ::timestamp or ::varchar") from None
    return Table(names, found)


def one_line(error: Exception) -> str:
    """What DuckDB says, without its drawing of where."""
    text = str(error).split("\nLINE ")[0]
    return " ".join(text.split())


# --- building --------------------------------------------------------------------------------------------


_BUILDING: dict[str, str | bool | int | float | list[str]] = {
    # Nobody sees the file before its maker has synced it whole; a sync for each insert would be most of the work.
    "fsync_mode": "none",
    # What was written need not stay in memory, and a second thread has its own share of everything.
    "memory_limit": "128MB",
    "threads": 1,
}
_ROW_GROUP = 8192
"""Rows that are packed together: texts are long, and a group is held in memory until it is full."""


@contextmanager
def build(path: Path) -> Iterator[Connection]:
    """Make a new database at ``path`` with the schema in it; on a good end all of it is in that one file.

    Errors: ``DatabaseError`` as it comes.
    """
    _empty(path)
    with _writable(path) as connection:
        yield connection
        connection.execute("checkpoint")


def take_in(connection: Connection, sql: str, params: Sequence[object]) -> None:
    """Insert rows into a database under ``build``; those too large for its memory get as much as the machine has.

    Errors: ``DatabaseError`` as it comes.
    """
    try:
        connection.execute(sql, params)
    except duckdb.OutOfMemoryException:
        connection.execute("reset memory_limit")
        connection.execute(sql, params)


@contextmanager
def _writable(path: Path) -> Iterator[Connection]:
    connection = duckdb.connect(":memory:", config=_SETTINGS | _BUILDING | {"temp_directory": f"{path}.spill"})
    try:
        connection.execute("set enable_progress_bar = false")  # it would stand in what a command prints
        connection.execute(f"attach {_quoted(path)} as harness (row_group_size {_ROW_GROUP})")
        connection.execute("use harness")
        yield connection
    finally:
        connection.close()


def _empty(target: Path) -> None:
    """Make a database without rows: a copy of one remembered, for its eight hundred statements take a while."""
    kept = memory.folder("schema")
    name = f"{hashlib.sha256(f'{duckdb.__version__} {schema_sql()}'.encode()).hexdigest()}.duckdb"
    if kept is not None:
        with suppress(OSError):
            shutil.copyfile(kept / name, target)
            return
    with _writable(target) as connection:
        connection.execute(schema_sql())
        connection.execute("checkpoint")
    memory.remember("schema", name, target.read_bytes())


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A database of one's own with the schema in it, gone at the end. Errors: ``DatabaseError`` as it comes."""
    with duckdb.connect(":memory:", config=_SETTINGS) as connection:
        connection.execute(schema_sql())
        yield connection


def schema_sql() -> str:
    """The tables, views and macros, with a comment on each."""
    folder = files("harness.store").joinpath("schema")
    return "\n".join(folder.joinpath(f"{name}.sql").read_text("utf-8") for name in _SCHEMA)


# --- sealing ---------------------------------------------------------------------------------------------


@contextmanager
def converter() -> Iterator[Connection]:
    """An empty database in memory, to convert files with. One thread: what it holds is then one group of rows."""
    with duckdb.connect(":memory:", config=_SETTINGS | {"threads": 1}) as connection:
        yield connection


def to_parquet(connection: Connection, lines: Path, target: Path, columns: Mapping[str, str], *, longest: int) -> None:
    """Write rows, one JSON object a line, as a Parquet file of these columns; what a row lacks is NULL.

    Moments stand in the lines as microseconds since 1970, UTC. ``longest`` is the length of the longest line in bytes.
    Errors: ``DatabaseError`` as it comes.
    """
    moments = [name for name, kind in columns.items() if kind == "TIMESTAMP"]
    made = ", ".join(f'make_timestamp("{name}") as "{name}"' for name in moments)
    types = ", ".join(f"'{name}': '{'BIGINT' if name in moments else kind}'" for name, kind in columns.items())
    # A group of rows is held in memory, and texts are long.
    connection.execute(
        f"""
        copy (
            select * {f"replace ({made})" if made else ""} from read_json({_quoted(lines)}, columns = {{{types}}},
                format = 'newline_delimited', maximum_object_size = {max(longest + 1, 1 << 20)})
        ) to {_quoted(target)} (format parquet, compression zstd, row_group_size 2048, use_tmp_file false,
            kv_metadata {{schema_version: {str(VERSION)!r}}})
        """  # noqa: S608 - our own names
    )


def parquet_columns(connection: Connection, path: Path) -> list[str]:
    """Names of the columns of a Parquet file. Errors: ``DatabaseError`` as it comes."""
    return [str(name) for (name, *_) in connection.execute(f"from {_quoted(path)} limit 0").description or ()]


def rewrite_parquet(connection: Connection, source: Path, target: Path, changed: Mapping[str, str]) -> None:
    """Write a Parquet file anew with these expressions in the place of columns. Errors: ``DatabaseError``."""
    made = ", ".join(f"{expression} as {name}" for name, expression in changed.items())
    connection.execute(
        f"""
        copy (select * {f"replace ({made})" if made else ""} from read_parquet({_quoted(source)}))
        to {_quoted(target)} (format parquet, compression zstd, row_group_size 2048, use_tmp_file false,
            kv_metadata {{schema_version: '{parquet_version(connection, source)}'}})
        """  # noqa: S608 - our own names
    )


def parquet_version(connection: Connection, path: Path) -> int:
    """The version that a Parquet file says it has; 1 where it says none. Errors: ``DatabaseError`` as it comes."""
    found = connection.execute(
        "select try_cast(decode(value) as integer) from parquet_kv_metadata(?) where decode(key) = 'schema_version'",
        [str(path)],
    ).fetchall()
    return 1 if not found else found[0][0] or sys.maxsize


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
