"""One run asked by itself, while it is still under way: its journals sealed, its views over them, nothing published."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import StoreError
from harness.record.folder import RunFolder
from harness.store import query
from harness.store.index import add_run
from harness.store.seal import seal
from harness.types import JsonObject


def ask(folder: RunFolder, sql: str, params: Sequence[object] = ()) -> list[JsonObject]:
    """The rows of a query in our own SQL over the tables and views of this run, as far as its journals go now.

    Errors: StoreError when a journal cannot be read or the disk refuses.
    """
    seal(folder)
    path = folder.root / ".alone.duckdb"
    path.unlink(missing_ok=True)
    try:
        with query.build(path) as connection:
            problem = add_run(connection, folder)
            if problem is not None:
                raise StoreError(f"{folder.root}: {problem}")
            table = query.fetch(connection, sql, params)
    finally:
        path.unlink(missing_ok=True)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]
