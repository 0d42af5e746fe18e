"""What the command line asks: tasks by name, and data files of the user's own prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.catalog import Catalog
from harness.errors import UsageError
from harness.prompts.filed import Filed, file_named, name_of
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
    for word in words:
        name, _, count = word.rpartition(":") if ":" in word else (word, "", "")
        path = None if name in catalog.tasks else file_named(name)
        if path is None:
            catalog.task(word.partition(":")[0])
            tasks.append(word if ":" in word or limit is None else f"{word}:{limit}")
            continue
        taken = {*catalog.tasks, *(one.name for one in files)}
        again = next((one for one in files if one.path == str(path.resolve())), None)
        filed = again or Filed(name_of(path, taken), str(path.resolve()), **said)
        files += [] if again else [filed]
        chosen = count if ":" in word else limit
        tasks.append(filed.name if chosen is None else f"{filed.name}:{chosen}")
    if said and not files:
        option = "--" + next(iter(said)).replace("_", "-")
        raise UsageError(f"{option} goes with a data file, and none was named", hint="A task knows for itself")
    return Asked(tuple(tasks), tuple(files))


def told(task: Task) -> str:
    """What a data file asks and how it is scored, in one line."""
    return f"{task.name}: {task.description}; scored by {task.scorer.name} v{task.scorer.version}"
