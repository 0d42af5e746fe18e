"""Servers that the harness starts itself: one file for each engine, found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from harness.catalog.sound import shown
from harness.errors import TaskError, UnknownName
from harness.plugins import Plugin, plugins
from harness.provider import Serve

Tell = Callable[[str], None]
"""Told in one line, now and then, how a start that takes long comes on."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers, in a child process on loopback."""

    base_url: str
    """Up to and including ``/v1``."""
    version: str
    """Of the engine, for the record of the run."""
    pid: int
    """Of the server itself."""
    log: Path
    """What it prints."""
    ended: Callable[[], int | None]
    """How it ended by itself: its exit code, or minus the signal that killed it; None: it runs."""
    stop: Callable[[], None]
    """End the process and all that it started, and wait until they are gone; a second call does nothing."""


Start = Callable[[Mapping[str, Any], Path | None, Tell], Running]
"""Starts an engine with its options, log folder and listener."""


def start(serve: Serve, *, log_dir: Path | None = None, tell: Tell = lambda _: None) -> Running:
    """Start the server of a ``serve`` block and wait until it answers.

    An engine is a module of this package, or what a plug-in gives, with a function ``start(options, log_dir, tell) ->
    Running``. What the server prints goes to a file in ``log_dir``; None: to a temporary place that is removed when it
    stops. A server that stands before another one has that one's address in ``options["upstream"]``.
    Raises UnknownName when there is no such engine, EngineError when it does not start, TaskError for a plug-in that
    cannot be used.
    """
    running: Running = _engine(serve.engine)(serve.options, log_dir, tell)
    return running


def given(plugin: Plugin) -> Start:
    """What a plug-in gives: a function ``start``, or a module that has one; TaskError for anything else."""
    value = plugin.load()
    found = getattr(value, "start", None) if isinstance(value, ModuleType) else value
    if not callable(found):
        raise TaskError(f"{plugin.label} gives {shown(value)}, not a function start or a module that has one")
    return cast("Start", found)


def _engine(name: str) -> Start:
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    if name in known and hasattr(module := _module(name), "start"):
        return cast("Start", module.start)
    others = plugins("engines")
    if name in others:
        return given(others[name])
    raise UnknownName("engine", name, [*(one for one in known if hasattr(_module(one), "start")), *others])


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
