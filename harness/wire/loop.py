"""Running the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

try:
    import uvloop
except ImportError:  # Windows, or a Python newer than its wheels
    _factory: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    _factory = uvloop.new_event_loop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, debug: bool = False) -> T:
    """Run ``main`` to its end on uvloop, on plain asyncio where uvloop is missing; SIGINT cancels it as usual."""
    with asyncio.Runner(loop_factory=_factory, debug=debug or None) as runner:
        return runner.run(main)
