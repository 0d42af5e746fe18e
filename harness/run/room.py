"""Room on the disk: asked for before anything is sent, and told in bytes where it was not enough."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import StoreError
from harness.folder import RunFolder, is_full, results_option, storing

REQUEST_BYTES = 6_000
"""Of a request with 200 chunks and 200 words: 3.4 kB of journal, 1.3 kB of Parquet, and the database made of it."""


def require(results: Path, requests: int) -> None:
    """Raise StoreError where the disk of ``results``, which need not exist yet, has no room for so many requests."""
    place = results.absolute()
    while not place.exists():
        place = place.parent
    with storing(place):
        free = shutil.disk_usage(place).free
    needed = requests * REQUEST_BYTES
    if free < needed:
        raise StoreError(
            f"no space left in {results}: {requests} requests need about {needed} bytes, and {free} are free",
            hint="Free some space, or name another folder with --results",
        )


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
        needed = left * REQUEST_BYTES + sum(map(len, journals))
        option = results_option(run.root.parent.parent)
        raise StoreError(
            error.what,
            hint=f"The rest of the run needs about {needed} bytes; what was recorded so far is kept. Free some space, "
            f"then: harness resume {run.id}{option}",
        ) from error
