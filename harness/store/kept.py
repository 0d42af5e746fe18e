"""Views of a large run whose rows are kept: computed once when the run is published, not each time they are asked.

A view is replaced by a table of the same name, columns and comments, so that whoever asks sees no difference.
"""

from __future__ import annotations

from harness.store import query

MANY = 100_000
"""Attempts of one run from which on its views are kept; those of smaller runs answer in less than it takes to keep."""

_KEPT = (
    *("attempt_metrics", "attempt_lag", "answers", "item_cost", "cost_summary"),
    *("load_flow", "load_itl", "load_summary", "rate_limits", "request_summary"),
    *("endpoint_summary", "identities", "dialect_gaps", "dialect_vllm", "dialect_aiperf", "dialect_guidellm"),
)
"""In the order of the schema, so that each is computed from those kept before it."""


def keep(connection: query.Connection, *, many: int = MANY) -> bool:
    """Replace the dear views of a database under ``build`` by their rows, where a run in it has ``many`` attempts.

    Gives whether it did. Errors: ``DatabaseError`` as it comes.
    """
    counts = connection.execute("select coalesce(max(n), 0) from (select count(*) as n from attempts group by run_id)")
    [(most,)] = counts.fetchall()
    if most < many:
        return False
    with query.roomy(connection):
        for view in _KEPT:
            _replace(connection, view)
    return True


def _replace(connection: query.Connection, view: str) -> None:
    [(about,)] = connection.execute("select comment from duckdb_views() where view_name = ?", [view]).fetchall()
    columns = connection.execute(
        "select column_name, comment from duckdb_columns() where table_name = ? and comment is not null", [view]
    ).fetchall()
    connection.execute(f"create table kept as from {view}")
    connection.execute(f"drop view {view}")
    connection.execute(f"alter table kept rename to {view}")
    for what, text in [(f"table {view}", about), *((f'column {view}."{name}"', text) for name, text in columns)]:
        quoted = text.replace("'", "''")
        connection.execute(f"comment on {what} is '{quoted}'")
