"""What the doctor found of one thing."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One line of the screen."""

    what: str
    """What was looked at, in a word or two."""
    state: State
    """``note``: something does without it, or only some commands want it; ``wrong``: it has to be mended."""
    told: str
    """What is so."""
    mend: str = ""
    """What to do; empty where nothing need be done."""
