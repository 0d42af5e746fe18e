"""The names of the levels of a load."""

from __future__ import annotations


def level_name(stage: str) -> str:
    """``c4`` of ``load.short_chat@c4``."""
    return stage.rpartition("@")[2]
