"""Views of a large store whose rows are kept: computed once at publishing, not each time they are asked.

A view is replaced by a table of the same name, columns and comments, so that whoever asks sees no difference.
"""

from __future__ import annotations

from harness.store import query

MANY_CHUNKS = 3_000_000
"""Reads with output of one run from which on its views are kept: a smaller one answers sooner than it is kept."""
MANY_ATTEMPTS = 300_000
"""Attempts of all runs together from which on they are kept: a page that follows every night would add them all up."""

_KEPT = (
    *("attempt_metrics", "attempt_lag", "answers", "item_cost", "cost_summary"),
    *("load_flow", "load_itl", "load_summary", "rate_limits", "request_summary"),
    *("endpoint_summary", "identities", "dialect_gaps", "dialect_vllm", "dialect_aiperf", "dialect_guidellm"),
)
"""In the order of the schema, so that each is computed from those kept before it."""


def keep(connection: query.Connection, *, attempts: int = MANY_ATTEMPTS, chunks: int = MANY_CHUNKS) -> None:
    """Replace the dear views of a database under ``build`` by their rows, where there are so many of either.

    Errors: ``DatabaseError`` as it comes.
    """
    large = """
        select 1 from attempts having count(*) >= ?
        union all
        select 1 from attempts group by run_id having sum(len(chunk_delta_us)) >= ?
        limit 1
    """
    if connection.execute(large, [attempts, chunks]).fetchall():
        connection.execute("set memory_limit = '1GB'")  # what does not fit goes to the disk
        connection.execute("reset threads")
        for view in _KEPT:
            _replace(connection, view)


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
