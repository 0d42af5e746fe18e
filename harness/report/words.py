"""Numbers as people read them, the same in the terminal and in the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from harness.types import JsonObject

NOTHING = "–"
"""Stands where there is no number: never 0, never an empty cell."""


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def share(of: JsonObject | None) -> str:
    """A share right with its interval and n: ``85 % [64-95] n=20``."""
    if not of or of["mean"] is None:
        return NOTHING
    return f"{100 * of['mean']:.0f} % [{100 * of['low']:.0f}–{100 * of['high']:.0f}] n={of['n_scored']}"


def spread(value: float | None, interval: Sequence[float | None]) -> str:
    """A quantile with its interval: ``120 [118-125]``; a bound that n is too small for is a question mark."""
    if value is None:
        return NOTHING
    low, high = ("?" if bound is None else f"{bound:.0f}" for bound in interval)
    return f"{value:.0f} [{low}–{high}]"


def cost(usd: float | None) -> str:
    """US dollars; a cost that is not known is said to be so."""
    return "unknown" if usd is None else f"{usd:.6f}"


def features(row: JsonObject) -> str:
    """How many of the judged features are not there."""
    if not row.get("features_judged"):
        return NOTHING
    return f"{row['features_failed']} of {row['features_judged']}"


def errors(row: JsonObject) -> str:
    """Failed attempts out of all, retried ones included."""
    return f"{row.get('n_failed', 0)} of {row.get('n', 0)}"


def value(row: JsonObject) -> str:
    """What a comparison found: points of a share, or a ratio of times."""
    if row["value"] is None:
        return NOTHING
    return f"×{row['value']:.2f}" if row["metric"] == "ttft_ratio" else f"{100 * row['value']:+.0f} points"


def bounds(row: JsonObject) -> str:
    """The interval of a comparison."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return "n too small"
    return f"{low:.2f} to {high:.2f}" if row["metric"] == "ttft_ratio" else f"{100 * low:+.0f} to {100 * high:+.0f}"


def could_have_seen(row: JsonObject) -> str:
    """The smallest true difference that the comparison would probably have shown."""
    return NOTHING if row["mde"] is None else f"{100 * row['mde']:.0f} points"


METRICS = {"quality": "quality", "tools": "tool calls", "ttft_ratio": "TTFT ratio"}
