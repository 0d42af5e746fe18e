"""The executor that is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

from harness.catalog.sound import shown
from harness.errors import TaskError, UsageError
from harness.plugins import Plugin, plugins
from harness.run.workers.executor import Executor, Local, Where

Connect = Callable[[Where, Path | None], Executor]
"""Gives the executor of a place; the path is the providers file that was named, for its processes."""


def given(plugin: Plugin) -> Connect:
    """What a plug-in gives; TaskError for anything else than a function."""
    found = plugin.load()
    if not callable(found):
        raise TaskError(f"{plugin.label} gives {shown(found)}, not a function that connects to an executor")
    return cast("Connect", found)


def made(where: Where, providers_file: Path | None) -> Executor | None:
    """What starts the processes of a run; None: this one process is all.

    Errors: UsageError when it does not go together, or an extra is missing; CannotMeasure when a cluster cannot be
    reached.
    """
    if where.kind == "hand":
        raise UsageError("--executor hand begins a run; it does not go on with one", hint="Start its workers again")
    if where.kind == "local":
        if where.out is not None:
            raise UsageError("--out goes with workers on other machines", hint="Give --executor ray or hand")
        return None if where.processes == 1 else Local(providers_file)
    if where.kind != "ray":
        return given(plugins("executors")[where.kind])(where, providers_file)
    # Imported only now: Ray takes a second to load, and few have it.
    found: Executor = importlib.import_module("harness.run.workers.on_ray").connect(where, providers_file)
    return found
