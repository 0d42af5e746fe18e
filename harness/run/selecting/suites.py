"""What a suite asks of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness import config
from harness.catalog import Catalog
from harness.errors import ConfigError, UsageError
from harness.provider import Provider
from harness.run.selecting import load_words
from harness.run.selecting.asked import Asked, asked
from harness.run.selecting.selection import LoadSettings, Selection, new_nonce
from harness.types import JsonObject, Suite


def suite_selection(
    suite: Suite,
    catalogue: Catalog,
    endpoint_names: tuple[str, ...],
    providers: Mapping[str, Provider],
    *,
    seed: int,
    **wanted: Any,
) -> Selection:
    """What a suite asks of endpoints, its own where none are named; ``wanted`` are further fields of the selection.

    Raises:
        UsageError: no endpoint is named anywhere, or one is not known.
        ConfigError: what the suite names is not there, or an option cannot be read (file, line, field).
    """
    if not (names := endpoint_names or suite.endpoints):
        raise UsageError(
            f"nobody is named to be asked: no --endpoint, no --model, and no endpoints: in {suite.file}",
            hint=f"As in: harness run {suite.name} --endpoint PROVIDER/MODEL",
        )
    tasks = _tasks(suite, catalogue)
    settings = {name: _settings(suite, name, catalogue) for name in suite.loads}
    asked_ones = [config.endpoint(providers, name) for name in dict.fromkeys(names)]
    return Selection(
        **{
            "suite": suite.name,
            "endpoints": names,
            "tasks": tasks.tasks,
            "files": tasks.files,
            "repeats": suite.repeats,
            "probes": suite.probes,
            "loads": tuple(suite.loads),
            "settings": {name: one for name, one in settings.items() if one != LoadSettings()},
            "paired": load_words.paired(
                asked_ones, asked=None, blocks=max((one.blocks for one in settings.values()), default=1)
            ),
            "judges": suite.judges,
            "seed": seed,
            "nonce": new_nonce(),
            **wanted,
        }
    )


def _tasks(suite: Suite, catalogue: Catalog) -> Asked:
    """The tasks of a suite; a data file is looked for beside the suite's own."""
    words = [_beside(suite, word) for word in suite.tasks]
    for place, word in enumerate(words):
        with _placed(suite, "tasks", place):
            asked((word,), catalogue, {})
    return asked(words, catalogue, {})


def _beside(suite: Suite, word: str) -> str:
    path, colon, count = word.rpartition(":") if word.rpartition(":")[2].isdecimal() else (word, "", "")
    there = suite.file.parent / path
    return f"{there}{colon}{count}" if there.is_file() else word


def _settings(suite: Suite, name: str, catalogue: Catalog) -> LoadSettings:
    said: JsonObject = dict(suite.loads[name])
    with _placed(suite, "loads", name):
        catalogue.load(name)
        said["duration_s"] = load_words.duration(said["duration"]) if "duration" in said else None
        said["think_s"] = said.get("think")
        files = {file: suite.file.parent / said[file] for file in load_words.FILES if file in said}
        if missing := next((str(path) for path in files.values() if not path.is_file()), None):
            raise UsageError(f"there is no file {missing}")
        return LoadSettings(load_words.changes(said, files), said.get("repeats", 1))


@contextmanager
def _placed(suite: Suite, *where: str | int) -> Iterator[None]:
    """Say where in the suite's file the mistake stands."""
    try:
        yield
    except UsageError as error:
        raise ConfigError(f"{suite.place(*where)}: {error.what}", hint=error.hint) from None
