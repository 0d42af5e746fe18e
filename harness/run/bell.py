"""Interrupts for a run that is carried out in a thread, where no signal arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Bell:
    """Whoever waits for the run rings; the loop that carries it out answers as to a signal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        """Rung while nobody was there to answer."""
        self._answer: Callable[[], None] | None = None

    def ring(self) -> None:
        """Interrupt: once to let what is under way end, twice to break it off; from any thread."""
        with self._lock:
            if self._answer is None:
                self._waiting += 1
            else:
                self._answer()

    @contextmanager
    def answered(self, answer: Callable[[], None]) -> Iterator[None]:
        """Have each ring call ``answer``, those before too; it is called in the thread that rings."""
        with self._lock:
            self._answer = answer
            for _ in range(self._waiting):
                answer()
            self._waiting = 0
        try:
            yield
        finally:
            with self._lock:
                self._answer = None
