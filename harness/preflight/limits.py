"""What a server tells of its rate limits in the headers that its preset names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.provider import RateLimit

_WINDOWS = ("second", "minute", "hour", "day", "month")
_MOST = 8


def told(headers: Iterable[tuple[str, str]], declared: RateLimit) -> tuple[str, ...]:
    """Each limit as ``14,400 requests/day left 14,399``, in the order of the preset's names; empty: nothing is told.

    ``headers``: names in lower case. A limit and what is left of it belong together when their names differ in those
    words alone. The window is the name's own, else what the preset says of requests and tokens, else it is left out.
    """
    sent = dict(headers)
    found: dict[str, dict[str, str]] = {}
    for name in declared.headers:
        # What stands before that word is the vendor's.
        words = re.split(r"[a-z]*ratelimit[a-z]*-?", name)[-1].split("-")
        part = next((word for word in words if word in ("limit", "remaining")), None)
        if part is not None and name in sent:
            rest = "-".join(word for word in words if word != part)
            found.setdefault(rest, {})[part] = sent[name]
    return tuple(_in_words(rest, parts, declared) for rest, parts in list(found.items())[:_MOST])


def _in_words(rest: str, parts: Mapping[str, str], declared: RateLimit) -> str:
    words = rest.split("-")
    window = next((word for word in words if word in _WINDOWS), None)
    unit = " ".join(word for word in words if word not in _WINDOWS)
    if window is None:
        window = declared.requests_per if "request" in unit else declared.tokens_per if "token" in unit else None
    of = f"{unit}/{window}" if unit and window else f"per {window}" if window else unit
    left = f"left {_number(parts['remaining'])}" if "remaining" in parts else ""
    limit = _number(parts["limit"]) if "limit" in parts else ""
    return " ".join(part for part in (limit, of, left) if part)


def _number(text: str) -> str:
    """A whole number with its thousands apart; anything else as it is, a short printable piece of it."""
    if re.fullmatch(r"\d{1,15}", text):
        return f"{int(text):,}"
    return "".join(char for char in text[:24] if char.isprintable())
