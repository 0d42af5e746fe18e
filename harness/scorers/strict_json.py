"""JSON as RFC 8259 has it, read from text a model wrote, fenced or not, and values shown in one short line."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_FENCE = re.compile(r"```[^\n`]*\n(.*?)\n?```", re.DOTALL)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": "), default=str)
"""Made once: making one takes longer than most values."""


def parse(text: str) -> Any:
    """The value of one JSON text; ValueError, with a reason in one line, for everything else.

    Stricter than ``json.loads``: NaN, Infinity, numbers out of a double's range, a name twice in one object
    and nesting deeper than the interpreter can follow are errors too.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def unfenced(text: str) -> tuple[str, bool]:
    """The trimmed text, without the one code fence that stands around all of it; and whether there was one."""
    text = text.strip()
    inside = _FENCE.fullmatch(text)
    return (inside[1].strip(), True) if inside else (text, False)


def shown(value: Any, limit: int = 80) -> str:
    """A value as compact JSON on one line, cut to ``limit`` characters and always encodable as UTF-8."""
    try:
        text = _COMPACT.encode(value)
    except (RecursionError, ValueError):
        text = "(a value nested too deeply to show)"
    head = text[: limit + 1]
    # JSON leaves the line ends and controls beyond ASCII as they are, and a terminal obeys them.
    plain = head if head.isprintable() else "".join(map(_printable, head))
    return clipped(plain, limit)


def clipped(text: str, limit: int = 80) -> str:
    """Text cut to ``limit`` characters; lone surrogates, which no file can hold, become question marks."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return short.encode("utf-8", "replace").decode("utf-8")


def _printable(char: str) -> str:
    return char if char.isprintable() or "\ud800" <= char <= "\udfff" else json.dumps(char)[1:-1]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {shown(twice)} stands twice in one object")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {clipped(text, 20)} is out of range")
    return number
