"""Probes of the headers that tell how much of a rate limit is left."""

import re
from collections.abc import Iterator

from harness.conformance import Capture, Check, Seen, Untestable, check, probe

UNITS = ("requests", "tokens")
PARTS = ("limit", "remaining", "reset")
_RESET = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d)?)+")


@probe(
    "http.ratelimit",
    title="Tells its rate limits",
    severity="ext",
    basis="observed",
    over="run",
    needs=("chat.basic",),
    spec="API guide: rate limits in headers",
    faults={"rate_headers_odd": "partial", "no_rate_headers": "partial"},
)
def ratelimit(seen: Seen) -> Iterator[Check]:
    """x-ratelimit-limit, -remaining, -reset of requests or tokens can be read, and no more remains than the limit."""
    told = [(capture, unit) for capture in seen.everything() for unit in UNITS if _parts(capture, unit)]
    yield check("x-ratelimit-*", bool(told), "limit, remaining and reset", "no such headers", must=False)
    for capture, unit in told:
        parts = _parts(capture, unit)
        limit, remaining = (_number(parts.get(name, "")) for name in ("limit", "remaining"))
        numbers = limit is not None and remaining is not None
        yield check(f"numbers of {unit}", numbers, "limit and remaining", parts, must=False, of=capture)
        readable = bool(_RESET.fullmatch(parts.get("reset", "").strip()))
        yield check(f"reset of {unit}", readable, "such as 6m0s", parts, must=False, of=capture)
        if limit is not None and remaining is not None:
            yield check(f"{unit} within the limit", remaining <= limit, limit, remaining, must=False, of=capture)


@probe(
    "http.ratelimit_moves",
    title="Counts down its rate limits",
    severity="ext",
    basis="observed",
    over="run",
    needs=("chat.basic",),
    spec="API guide: rate limits in headers",
    faults={"rate_headers_still": "partial"},
)
def ratelimit_moves(seen: Seen) -> Iterator[Check]:
    """Over the chats of a run, what remains of requests or tokens falls below the limit or differs."""
    found: dict[str, set[str]] = {}
    limits: dict[str, set[str]] = {}
    answered = 0
    for capture in filter(lambda capture: capture.is_chat, seen.everything()):
        told = {unit: _parts(capture, unit) for unit in UNITS}
        answered += any("remaining" in parts for parts in told.values())
        for unit, parts in told.items():
            if "remaining" in parts:
                found.setdefault(unit, set()).add(parts["remaining"])
                limits.setdefault(unit, set()).add(parts.get("limit", ""))
    if answered < 2:
        raise Untestable("evidence", "fewer than two answers say what remains")
    moves = any(len(left) > 1 or left != limits[unit] for unit, left in found.items())
    yield check("remaining moves", moves, "less than the limit", str(found), must=False)


def _parts(capture: Capture, unit: str) -> dict[str, str]:
    """What the headers say of one unit, by limit, remaining and reset; empty: nothing."""
    told = {part: capture.header(f"x-ratelimit-{part}-{unit}") for part in PARTS}
    return {part: text for part, text in told.items() if text}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


PROBES = (ratelimit, ratelimit_moves)
