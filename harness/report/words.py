"""Numbers as people read them, the same in the terminal and in the dashboard."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.types import JsonObject

NOTHING = "–"
"""Stands where there is no number: never 0, never an empty cell."""

_BUSY_MS = 10.0
"""A client that reads packets later than this was too busy for its load to be what was planned."""

_CONTROLS = (*range(9), *range(11, 32), *range(127, 160))
_TURNS_OF_WRITING = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SHOWN = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in (*_CONTROLS, *_TURNS_OF_WRITING)}


def plain(text: str) -> str:
    """Text that others wrote with its controls spelt out: none moves a cursor, rings, or turns the writing round."""
    return text.translate(_SHOWN)


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share as a percentage; one that is neither none nor all is never rounded to either."""
    if share is None:
        return NOTHING
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and share < 1 else f"{rounded} %"


def share(of: JsonObject | None) -> str:
    """A share right with its interval and n: ``85 % [64–95] n=20``, or ``n=18 of 20`` where two gave no answer."""
    if not of or of["mean"] is None:
        return NOTHING
    asked = f" of {of['n_scored'] + of['n_failed']}" if of.get("n_failed") else ""
    return f"{100 * of['mean']:.0f} % [{100 * of['low']:.0f}–{100 * of['high']:.0f}] n={of['n_scored']}{asked}"


def spread(value: float | None, interval: Sequence[float | None], n: int | None = None) -> str:
    """A quantile with its interval: ``120 [118–125]``; a bound that n is too small for is a question mark."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 10 else 2
    low, high = ("?" if bound is None else f"{bound:.{digits}f}" for bound in interval)
    return f"{value:.{digits}f} [{low}–{high}]" + ("" if n is None else f" n={n}")


def cost(usd: float | None) -> str:
    """US dollars to three figures; a cost that is not known is said to be so."""
    if usd is None:
        return "unknown"
    if usd <= 0:
        return "0"
    return f"{usd:.{max(2, 2 - math.floor(math.log10(usd)))}f}"


def features(row: JsonObject) -> str:
    """How many of the judged features are not there."""
    if not row.get("features_judged"):
        return NOTHING
    return f"{row['features_failed']} of {row['features_judged']}"


def errors(row: JsonObject) -> str:
    """Failed attempts out of all, retried ones included."""
    return f"{row['n_failed']} of {row['n']}" if row.get("n") else NOTHING


def health(row: JsonObject | None) -> str:
    """How well this client measured, in one line."""
    if not row:
        return "no response came, so no clock was read"
    parts = [
        f"kernel time stamps on {percent(row['clock_kernel_share'])} of {row['n']} attempts",
        f"{percent(row['coalesced_share'])} of reads held several chunks",
        f"packets read {number(row['lag_p99_ms'], 1)} ms late at p99"
        if row["lag_p99_ms"] is not None
        else "how late packets were read is not known",
        f"requests left {number(row['wait_p99_ms'], 1)} ms after their turn at p99",
    ]
    return " · ".join(parts)


def concerns(row: JsonObject | None) -> list[str]:
    """What in the run's health makes its times less sure."""
    found = []
    if row and row["clock_kernel_share"] < 1:
        found.append("Some times are of this program's own clock, so its delays are in them.")
    if row and row["lag_p99_ms"] is not None and row["lag_p99_ms"] > _BUSY_MS:
        found.append(
            f"This machine was busy: it read packets more than {_BUSY_MS:.0f} ms late. Arrival times are the kernel's "
            "and stay right, but in reads that held several chunks; the load it offered may have been lower than "
            "planned."
        )
    return found


def value(row: JsonObject) -> str:
    """What a comparison found: points of a share, or a ratio of times."""
    if row["value"] is None:
        return NOTHING
    return f"×{row['value']:.2f}" if row["metric"] == "ttft_ratio" else f"{round(100 * row['value']):+d} points"


def bounds(row: JsonObject) -> str:
    """The interval of a comparison."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return "n too small"
    return (
        f"{low:.2f} to {high:.2f}"
        if row["metric"] == "ttft_ratio"
        else f"{round(100 * low):+d} to {round(100 * high):+d}"
    )


def could_have_seen(row: JsonObject) -> str:
    """The smallest true difference that the comparison would probably have shown."""
    return NOTHING if row["mde"] is None else f"{100 * row['mde']:.0f} points"


METRICS = {"quality": "quality", "tools": "tool calls", "ttft_ratio": "TTFT ratio"}
