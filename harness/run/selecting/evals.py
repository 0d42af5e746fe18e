"""What is asked of whom where tasks are asked for by name, or as data files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.errors import UsageError
from harness.run.selecting.asked import asked
from harness.run.selecting.selection import Selection


def eval_selection(
    words: Sequence[str],
    endpoints: Sequence[str],
    found: Catalog,
    about: Mapping[str, Any],
    *,
    limit: int | None = None,
    data: Path | None = None,
    **wanted: Any,
) -> Selection:
    """The selection of some tasks.

    Args:
        words: names of tasks and paths of data files, either with ``:N`` behind it.
        endpoints: who is asked; the first is the baseline.
        found: where the tasks are.
        about: what is said of data files, by the names of ``Filed``'s fields; None: not said.
        limit: so many samples of each task; None: all.
        data: file or folder in the place of the tasks' own source; None: their own.
        wanted: further fields of the selection.

    Raises:
        UsageError: ``data`` does not go with what is named, or something was said of files and none is named.
        UnknownName, TaskError: there is no such task or file.
    """
    tasks = asked(words, found, about, limit)
    if data is not None and tasks.files:
        raise UsageError("--data goes with tasks that have a name", hint="A data file is its own")
    if data is not None and len(words) > 1 and not data.is_dir():
        raise UsageError("--data FILE goes with one task", hint="Run the tasks one by one, or give a folder")
    fields: dict[str, Any] = {
        "suite": "-".join(name.partition(":")[0] for name in tasks.tasks)[:40],
        "endpoints": tuple(endpoints),
        "tasks": tasks.tasks,
        "files": tasks.files,
        "data": str(data.resolve()) if data else None,
    }
    return Selection(**{**fields, **wanted})
