"""How much of what was asked could be scored, and what the rest may hide."""

from __future__ import annotations

from typing import NamedTuple

FLOOR = 0.95
"""Share of what was asked that must have been scored before a mean of the scored is shown as the result."""


class Coverage(NamedTuple):
    """The two denominators."""

    asked: int
    scored: int
    share: float | None
    """Scored of asked; None: nothing was asked."""
    low: float | None
    """Mean score of all that was asked where what has no score counts as wrong: the mean of asked."""
    high: float | None
    """The same where it counts as right."""

    @property
    def enough(self) -> bool:
        """Whether the mean of what was scored may stand for what was asked."""
        return self.share is not None and self.share >= FLOOR


def coverage(asked: int, scored: int, total: float) -> Coverage:
    """Of answers asked for, of those scored, and of the sum of their scores in 0..1.

    The bounds hold whatever the missing answers would have been; nothing is assumed of why they are missing.

    Source: Manski, "Nonparametric bounds on treatment effects", American Economic Review 80 (1990), Papers and
    Proceedings.

    Raises:
        ValueError: more were scored than asked.
    """
    if scored > asked:
        raise ValueError(f"{scored} were scored of {asked} asked")
    if asked == 0:
        return Coverage(0, 0, None, None, None)
    return Coverage(asked, scored, scored / asked, total / asked, (total + asked - scored) / asked)
