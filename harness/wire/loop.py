"""Running the event loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, TypeVar

try:
    import resource as _resource
except ImportError:  # Windows
    resource: ModuleType | None = None
else:
    resource = _resource

try:
    import uvloop
except ImportError:  # Windows, or a Python newer than its wheels
    _factory: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _factory = uvloop.new_event_loop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, debug: bool = False) -> T:
    """Run ``main`` to its end on uvloop, on plain asyncio where uvloop is missing; SIGINT cancels it as usual."""
    # What has been loaded by now is spared by the garbage collector, whose walks over it would stop the loop for
    # milliseconds at a time.
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=_factory, debug=debug or None) as runner:
            return runner.run(main)
    finally:
        # Full collections empty the free lists of objects too, a few of which keep whole megabytes from going back.
        gc.collect()
        gc.unfreeze()


def open_files() -> tuple[int, int | None]:
    """How many files this process may have open now, and at most; None: without a bound, or the platform has none."""
    if resource is None:
        return 0, None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft, None if hard == resource.RLIM_INFINITY else hard


def allow_open_files(n: int) -> int:
    """Raise the soft limit of open files to ``n`` or as near as the hard limit lets us; what it is now, never lowered.

    A connection is an open file. 0: this platform has no such limit.
    """
    if resource is None:
        return 0
    limits: tuple[int, int] = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = limits
    unlimited: int = resource.RLIM_INFINITY
    if soft == unlimited or soft >= n:
        return n if soft == unlimited else soft
    wanted = n if hard == unlimited else min(n, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a further limit that it does not tell
        return soft
    return wanted
