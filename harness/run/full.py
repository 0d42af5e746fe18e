"""A disk that took no more in the middle of a run: how many bytes the rest of it needs, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import StoreError
from harness.folder import RunFolder, is_full, results_option

_REQUEST_BYTES = 6_000
"""Of a request with 200 chunks and 200 words: 3.4 kB of journal, 1.3 kB of Parquet, and the database made of it."""


@contextmanager
def told(run: RunFolder) -> Iterator[None]:
    """Say of a full disk how many bytes the rest of the run needs, and how to go on."""
    try:
        yield
    except StoreError as error:
        if not is_full(error) or not run.plan_path.exists():
            raise
        journals = [path.read_bytes() for path in run.journals()]
        left = max(0, run.plan_path.read_bytes().count(b"\n") - sum(one.count(b"\n") for one in journals))
        needed = left * _REQUEST_BYTES + sum(map(len, journals))
        option = results_option(run.root.parent.parent)
        raise StoreError(
            error.what,
            hint=f"The rest of the run needs about {needed} bytes; what was recorded so far is kept. Free some space, "
            f"then: harness resume {run.id}{option}",
        ) from error
