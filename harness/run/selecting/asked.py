"""What the command line asks: tasks by name, and data files of the user's own prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.catalog import Catalog
from harness.errors import UsageError
from harness.prompts.filed import OF_ROWS, Filed, file_named, is_suite, name_of
from harness.types import Task


class Asked(NamedTuple):
    """The tasks of a selection."""

    tasks: tuple[str, ...]
    """``name`` or ``name:limit``, in the order given."""
    files: tuple[Filed, ...]
    """Those of them that are files."""


def asked(words: Sequence[str], catalog: Catalog, about: Mapping[str, Any], limit: int | None = None) -> Asked:
    """The tasks that words of the command line mean: names, paths of data files, either with ``:N`` behind it.

    ``about`` is what was said about data files, by the names of ``Filed``'s fields; None: not said.

    Raises:
        UsageError: something was said about data files, and there is none.
        UnknownName, TaskError: there is no such task or file.
    """
    said = {name: value for name, value in about.items() if value is not None}
    tasks: list[str] = []
    files: list[Filed] = []
    used: set[str] = set()
    for word in words:
        # A file may have a colon in its name.
        name, colon, count = (word, "", "") if Path(word).is_file() or ":" not in word else word.rpartition(":")
        path = None if name in catalog.tasks else file_named(name)
        if path is None:
            catalog.task(word.partition(":")[0])
            tasks.append(word if ":" in word or limit is None else f"{word}:{limit}")
            continue
        taken = {*catalog.tasks, *(one.name for one in files)}
        again = next((one for one in files if one.path == str(path.resolve())), None)
        fit = {option: value for option, value in said.items() if option not in OF_ROWS or not is_suite(path)}
        filed = again or Filed(name_of(path, taken), str(path.resolve()), **fit)
        used.update(fit)
        files += [] if again else [filed]
        chosen = count if colon else limit
        tasks.append(filed.name if chosen is None else f"{filed.name}:{chosen}")
    for option in said:
        if option not in used:
            kind = "a data file of rows" if option in OF_ROWS else "a data file"
            named = "--" + option.replace("_", "-")
            raise UsageError(f"{named} goes with {kind}, and none was named", hint="All others bring their own")
    return Asked(tuple(tasks), tuple(files))


def told(task: Task) -> str:
    """What a data file asks and how it is scored, in one line."""
    return f"{task.name}: {task.description}; scored by {task.scorer.name} v{task.scorer.version}"
