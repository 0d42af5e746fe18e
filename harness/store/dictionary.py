"""What the database holds, by name: its tables, views and macros with their columns, units and meaning of NULL."""

from __future__ import annotations

from typing import NamedTuple

from harness.store.query import in_memory


class Column(NamedTuple):
    """One column of the schema."""

    table: str
    is_view: bool
    name: str
    type: str
    comment: str
    """Unit and meaning of NULL; empty: a view's column that is the table's column of that name."""


class Macro(NamedTuple):
    """A table that is made when it is called, of one run or of one job of it."""

    call: str
    """Its name with the names of its arguments."""
    comment: str
    columns: tuple[Column, ...]
    """Explained by the macro's own comment."""


def describe() -> list[Column]:
    """Every column of every table and view with its comment, in the order of the schema; needs no results."""
    with in_memory() as connection:
        found = connection.execute(
            """
            select table_name, view_oid is not null, column_name, data_type, coalesce(c.comment, '')
            from duckdb_columns() c left join duckdb_views() v on v.view_oid = c.table_oid
            where not c.internal order by c.table_oid, column_index
            """
        ).fetchall()
    return [Column(*row) for row in found]


def describe_tables() -> dict[str, str]:
    """The comment of every table and view, in the order of the schema; needs no results."""
    with in_memory() as connection:
        found = connection.execute(
            """
            select name, coalesce(comment, '') from (
                select table_oid as oid, table_name as name, comment from duckdb_tables() where not internal
                union all select view_oid, view_name, comment from duckdb_views() where not internal
            ) order by oid
            """
        ).fetchall()
    return dict(found)


def describe_macros() -> dict[str, Macro]:
    """Every macro by name, in the order of the schema; needs no results."""
    with in_memory() as connection:
        found = connection.execute(
            """
            select function_name, parameters, coalesce(comment, '') from duckdb_functions()
            where function_type = 'table_macro' and not internal order by function_oid
            """
        ).fetchall()
        macros = {}
        for name, parameters, comment in found:
            call = f"{name}({', '.join(parameters)})"
            described = connection.execute(f"from {name}() limit 0").description or ()
            columns = tuple(
                Column(call, is_view=True, name=str(one[0]), type=str(one[1]), comment="") for one in described
            )
            macros[name] = Macro(call, comment, columns)
    return macros
