"""The server's clock against ours, as far as one ``Date`` header can tell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

TOLERATED_S = 5.0
"""Beyond this the two sides' logs can no longer be laid side by side, and signed requests come near their limits."""
_WHOLE_SECOND = timedelta(seconds=1)


def ahead(headers: Iterable[tuple[str, str]], sent_at: datetime, received_at: datetime) -> tuple[float, float] | None:
    """By how many seconds the server's clock is ahead of ours: at least, at most; negative: behind.

    The header was written between the sending and the arrival, and says whole seconds, cut off. None: no header, or one
    that is no date. Source: RFC 9110 section 6.6.1.
    """
    text = next((value for name, value in headers if name == "date"), None)
    try:
        said = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    said = said if said.tzinfo else said.replace(tzinfo=UTC)
    return (said - received_at).total_seconds(), (said + _WHOLE_SECOND - sent_at).total_seconds()


def surely_off(bounds: tuple[float, float]) -> bool:
    """Whether the clocks differ by more than is tolerated, whatever the round trip hid."""
    least, most = bounds
    return least > TOLERATED_S or most < -TOLERATED_S


def in_words(bounds: tuple[float, float]) -> str:
    """The bounds for a person."""
    least, most = bounds
    if least <= 0 <= most:
        return f"agrees within {max(-least, most):.1f} s"
    return f"ahead by {least:.1f} to {most:.1f} s" if least > 0 else f"behind by {-most:.1f} to {-least:.1f} s"
