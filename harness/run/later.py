"""Work that can wait until nothing more urgent is to be done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 1_000
"""Pieces that may wait; beyond that they would be memory rather than patience."""


class Later(Generic[T]):
    """Does ``do`` to what is added, one piece in a turn of the loop, so that sockets are read in between.

    Where many answers end at once, each understood at once would have the next requests, and the reads of others, wait
    for all of that. An error of ``do`` is raised by the next ``add``, or by ``rest``.
    """

    def __init__(self, do: Callable[[T], None]) -> None:
        self._do = do
        self._waiting: deque[T] = deque()
        self._called = False
        self._error: Exception | None = None

    def add(self, piece: T) -> None:
        """Have it done soon; where too many wait, the oldest of them is done now."""
        if self._error is not None:
            raise self._error
        self._waiting.append(piece)
        if len(self._waiting) > _MOST:
            self._do(self._waiting.popleft())
        if not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._one)

    def rest(self) -> None:
        """Do all that still waits."""
        if self._error is not None:
            raise self._error
        while self._waiting:
            self._do(self._waiting.popleft())

    def _one(self) -> None:
        self._called = False
        if not self._waiting or self._error is not None:
            return
        try:
            self._do(self._waiting.popleft())
        except Exception as error:  # noqa: BLE001 - whatever it is: the loop would only print it
            self._error = error
            return
        if self._waiting:
            self._called = True
            asyncio.get_running_loop().call_soon(self._one)
