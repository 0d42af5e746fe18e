"""What a task's environment has to be able to do; the shipped ones are in ``harness.worlds``."""

from __future__ import annotations

from typing import Any, Protocol


class World(Protocol):
    """A simulated environment that tool calls are carried out in: no clock, no randomness, nothing outside itself."""

    def call(self, name: str, arguments: str) -> str:
        """Carry out one call, ``arguments`` as the model wrote them; gives its result as text.

        It never raises: what was wrong is the text ``{"error": "..."}``, and nothing has changed then.
        """

    def state(self) -> dict[str, Any]:
        """What it holds now, as JSON."""
