"""Servers that the harness starts itself: one file for each engine, found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness.errors import UnknownName
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


def start(serve: Serve, *, log_dir: Path | None = None, tell: Tell = lambda _: None) -> Running:
    """Start the server of a ``serve`` block and wait until it answers.

    An engine is a module of this package with a function ``start(options, log_dir, tell) -> Running``. What the server
    prints goes to a file in ``log_dir``; None: to a temporary place that is removed when it stops. A server that stands
    before another one has that one's address in ``options["upstream"]``.
    Raises UnknownName when there is no such engine, EngineError when it does not start.
    """
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    engine = _module(serve.engine) if serve.engine in known else None
    if engine is None or not hasattr(engine, "start"):
        raise UnknownName("engine", serve.engine, [name for name in known if hasattr(_module(name), "start")])
    running: Running = engine.start(serve.options, log_dir, tell)
    return running


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
