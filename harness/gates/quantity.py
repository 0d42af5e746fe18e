"""Amounts in a gate: ``800ms``, ``1%``, ``2 points``, ``30m``, read and written back.

A share is always written with ``%``: a plain 1 could be all of it or a hundredth, and a gate that reads it wrongly
never fails.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_AMOUNT = re.compile(r"(\d{1,12}(?:\.\d{1,9})?) ?([a-zA-Z%µ]*)")
_MS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_POINTS = ("point", "points", "pt", "pts")

SHARES = ("share", "score")
"""Units that are written in per cent."""


class Margin(NamedTuple):
    """How much worse is too much."""

    amount: float
    """A share of what it is compared with (0.1 of ``10%``), or a difference of shares (0.02 of ``2 points``)."""
    scale: Literal["ratio", "difference"]

    @property
    def text(self) -> str:
        """As it stands in a gate."""
        return f"{100 * self.amount:.3g}{'%' if self.scale == 'ratio' else _counted(100 * self.amount)}"


def amount(value: object, unit: str) -> float:
    """An absolute limit in the unit of its metric; ValueError says what it must look like."""
    number, suffix = _split(value)
    if unit == "ms":
        if suffix not in _MS:
            raise ValueError("must be a time, as in 800ms or 1.2s")
        return number * _MS[suffix]
    if unit in SHARES:
        if suffix != "%" or number > 100:
            raise ValueError("must be a share in per cent, as in 1%")
        return number / 100
    if suffix not in ("", unit):
        raise ValueError(f"must be a number of {unit}, without another unit")
    return number


def margin(value: object, unit: str) -> Margin:
    """How much worse is too much; ValueError says what it must look like."""
    number, suffix = _split(value)
    if number <= 0:
        raise ValueError("must be above 0: no two measurements are equal")
    if unit in SHARES:
        if suffix not in _POINTS or number > 100:
            raise ValueError("must be a difference of shares, as in 1 point or 2.5 points")
        return Margin(number / 100, "difference")
    if suffix != "%":
        raise ValueError("must be a part of what it is compared with, as in 10%")
    return Margin(number / 100, "ratio")


def seconds(value: object) -> float:
    """A duration: ``90``, ``90s``, ``30m``, ``2h``; ValueError otherwise."""
    number, suffix = _split(value)
    if suffix not in _SECONDS or number <= 0:
        raise ValueError("must be a time above 0, as in 90s, 30m or 2h")
    return number * _SECONDS[suffix]


def shown(value: float | None, unit: str) -> str:
    """An amount for people: ``812 ms``, ``1.2 %``, ``41.3 tokens/s``, ``0.021`` of an effect; a dash for None."""
    if value is None:
        return "–"
    if unit in SHARES:
        return f"{100 * value:.3g} %"
    if unit == "effect":
        return f"{value + 0:.3f}"
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.4g} {unit}"


def moved(worsening: float, scale: Literal["ratio", "difference"]) -> str:
    """How much worse something is, for people: ``12.3 % worse``, ``0.4 points better``."""
    word = "worse" if worsening >= 0 else "better"
    return f"{abs(100 * worsening):.3g} {'%' if scale == 'ratio' else 'points'} {word}"


def bounds(low: float, high: float) -> str:
    """The bounds of a worsening, in hundredths: above 0 is worse."""
    return f"{100 * low:+.3g} to {100 * high:+.3g}"


def _split(value: object) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number, or text such as 800ms or 10%")  # noqa: TRY004 - a mistake of a file
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError("must not be below 0")
        return float(value), ""
    found = _AMOUNT.fullmatch(value.strip())
    if found is None:
        raise ValueError("must be a number with its unit, as in 800ms, 1% or 2 points")
    return float(found[1]), found[2]


def _counted(value: float) -> str:
    return " point" if round(value, 9) == 1 else " points"
