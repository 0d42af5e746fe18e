"""Questions about several runs at once: what the views say of them is worked out once for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import StoreError
from harness.store.query import DatabaseError, database_path, held, one_line, read_only


@contextmanager
def gathered(results: Path, runs: Sequence[str], views: Sequence[str]) -> Iterator[None]:
    """As ``harness.store.query.held``, with what these views say of these runs kept at hand.

    Most of the time of a question about one run goes into understanding the views, not into reading its rows: with
    twenty runs that would be done twenty times.
    Errors: as ``rows``.
    """
    with held(results), read_only(results) as connection:
        try:
            for view in views:
                # A temporary table is found before the view of that name.
                wanted = f"from harness.{view} where run_id in (select unnest(?))"
                connection.execute(f"create temp table {view} as {wanted}", [list(runs)])
        except DatabaseError as error:
            raise StoreError(f"{database_path(results)} is damaged: {one_line(error)}") from error
        yield
