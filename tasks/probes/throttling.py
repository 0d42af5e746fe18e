"""Probes of a rate limit, which has to be reached first: so many requests at once that one may be refused."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from harness.conformance import (
    MISSHAPEN_ERRORS,
    Capture,
    Check,
    Seen,
    Untestable,
    chat,
    check,
    envelope,
    probe,
)
from harness.conformance.plain import HELLO

AT_ONCE = 40
LONGEST_S = 120.0
"""The official Python client waits no longer, whatever the server says."""
RESETS = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "ratelimit-reset", "x-ratelimit-reset", "ratelimit")

BURST = replace(
    chat("error_burst", f"{AT_ONCE} requests at once, of one token each", HELLO, cap=1, surface="error"),
    repeats=AT_ONCE,
    together=True,
    answers=frozenset({429, 503}),
)


@probe(
    "error.rate_limit",
    title="Tells when a rate limit ends",
    sees=(BURST,),
    severity="common",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 6585, 4",
    faults={
        **MISSHAPEN_ERRORS,
        "silent_limit": "partial",
    },
)
def rate_limit(seen: Seen) -> Iterator[Check]:
    """A 429 has the documented error body, and Retry-After or a header that says when the limit is reset."""
    for capture in _refused(seen, 429):
        yield from envelope(capture)
        told = capture.header("retry-after") or any(capture.header(name) for name in RESETS)
        yield check("Retry-After or a reset", bool(told), "one of them", "neither", must=False, of=capture)


@probe(
    "error.retry_after_parse",
    title="Gives a usable Retry-After",
    sees=(BURST,),
    severity="ext",
    ability="X",
    over="all",
    needs=("chat.basic",),
    spec="RFC 9110, 10.2.3; openai-python: Retry-After is heeded up to 120 s",
    faults={"http_429_absurd": "partial"},
)
def retry_after_parse(seen: Seen) -> Iterator[Check]:
    """Retry-After of a 429 or 503 is a number of seconds or an HTTP date, at most 120 s away."""
    told = [capture for capture in _refused(seen, 429, 503) if capture.header("retry-after")]
    if not told:
        raise Untestable("evidence", "no refusal has a Retry-After")
    for capture in told:
        text = capture.header("retry-after").strip()
        until = _date(text)
        number = re.fullmatch(r"\d+(\.\d+)?", text)
        yield check("Retry-After", bool(number or until), "seconds or an HTTP date", text, of=capture)
        sent = _date(capture.header("date"))
        # Without a Date header nothing says how far away a date is.
        wait = float(text) if number else (until - sent).total_seconds() if until and sent else 0.0
        yield check("soon", wait <= LONGEST_S, f"at most {LONGEST_S:g} s", text, must=False, of=capture)


def _refused(seen: Seen, *statuses: int) -> list[Capture]:
    found = [capture for capture in seen.all(BURST) if capture.status in statuses]
    if not found:
        raise Untestable("evidence", f"{AT_ONCE} requests at once met no limit")
    return found


def _date(text: str) -> datetime | None:
    """An HTTP date; None: it is none, or has no time zone, so that it cannot be compared."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


PROBES = (rate_limit, retry_after_parse)
