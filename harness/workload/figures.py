"""Numbers that a user gave: read from text, checked, and written short."""

from __future__ import annotations

import math

from harness.errors import UsageError


def number(text: str, part: str) -> float:
    """The number that ``part`` of ``text`` is; UsageError otherwise."""
    try:
        return float(part)
    except ValueError:
        raise UsageError(f"{text!r}: {part!r} is no number") from None


def whole(text: str, part: str) -> int:
    """The whole number that ``part`` of ``text`` is; UsageError otherwise."""
    try:
        return int(part)
    except ValueError:
        raise UsageError(f"{text!r}: {part!r} is no whole number") from None


def require(name: str, value: float, *, zero: bool = False, infinite: bool = False) -> None:
    """UsageError names the field unless it is a number above 0, finite; ``zero`` and ``infinite`` allow these too."""
    counts = isinstance(value, int | float) and not isinstance(value, bool)
    if not (counts and (value > 0 or (zero and value == 0)) and (infinite or value != math.inf)):
        raise UsageError(f"{name} must be a number {'from 0 on' if zero else 'above 0'}, not {value!r}")


def require_whole(name: str, value: int, low: int = 1) -> None:
    """UsageError names the field unless it is a whole number from ``low`` on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UsageError(f"{name} must be a whole number from {low} on, not {value!r}")


def short(value: float) -> str:
    """The shortest text that is this number and no other, for example ``2.5`` or ``60``."""
    text = f"{value:g}"
    return text if float(text) == value else repr(value)
