"""A disk that took no more in the middle of a run: how many bytes the rest of it needs, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import StoreError
from harness.record.folder import RunFolder, is_full, results_option
from harness.run.planning.disk import for_rest


@contextmanager
def told(run: RunFolder) -> Iterator[None]:
    """Say of a full disk how many bytes the rest of the run needs, and how to go on."""
    try:
        yield
    except StoreError as error:
        if not is_full(error) or not run.plan_path.exists():
            raise
        needed = _needed(run)
        option = results_option(run.root.parent.parent)
        raise StoreError(
            error.what,
            hint=f"The rest of the run needs about {needed} bytes; what was recorded so far is kept. Free some space, "
            f"then: harness resume {run.id}{option}",
        ) from error


def _needed(run: RunFolder) -> int:
    """Bytes for what is still to be asked, each as large as those in the journals, and for sealing what is there."""
    journals = run.journals()
    lines, recorded = sum(map(_lines, journals)), sum(path.stat().st_size for path in journals)
    return for_rest(max(0, _lines(run.plan_path) - lines), lines, recorded)


def _lines(path: Path) -> int:
    """A journal may be larger than memory: it is counted as it is read."""
    with path.open("rb") as file:
        return sum(1 for _ in file)
