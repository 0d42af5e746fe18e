"""The figures and circumstances of a comparison in words, the same in the terminal and in the dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import words
from harness.types import JsonObject

METRICS = {
    "failures": "failures",
    "ttft_ms": "TTFT",
    "ttft_sched_ms": "TTFT since plan",
    "tpot_ms": "ITL (TPOT)",
    "e2e_ms": "E2E",
    "e2e_sched_ms": "E2E since plan",
    "output_tokens_per_s": "output tokens/s",
    "prompt_tokens": "prompt tokens",
    "output_tokens": "output tokens",
    "cost_usd": "cost",
    "quality": "quality",
}
"""What is compared, in the order in which it is told."""
_SHARES = ("failures", "quality")


def metric(row: JsonObject) -> str:
    """What was compared, with its unit where the figures do not carry it."""
    unit = "" if row["metric"] in _SHARES or row["unit"] in ("tokens", "tokens/s") else f", {row['unit']}"
    return f"{METRICS[row['metric']]}{unit}"


def place(group: JsonObject) -> str:
    """The stage, without what all loads have in common."""
    stage: str = group["stage"]
    return stage.removeprefix("load.")


def amount(row: JsonObject, value: float | None) -> str:
    """A figure in its unit; a share as a percentage."""
    if value is None:
        return words.NOTHING
    if row["metric"] in _SHARES:
        return f"{100 * value:.1f} %"
    if row["metric"] == "cost_usd":
        return f"{value:.3g}"
    return f"{value:.{_digits(value)}f}"


def signed(row: JsonObject, value: float | None) -> str:
    """A difference in the unit of its metric, with its sign."""
    if value is None:
        return words.NOTHING
    if row["metric"] in _SHARES:
        return f"{100 * value:+.1f}"
    if row["metric"] == "cost_usd":
        return f"{value:+.3g}"
    return f"{value:+.{_digits(value)}f}"


def _digits(value: float) -> int:
    size = abs(value)
    return 1 if size >= 100 else 2 if size >= 10 else 3


def points_of(row: JsonObject) -> str:
    """What stands behind a difference of shares."""
    return " points" if row["metric"] in _SHARES and row["n"] else ""


def difference(row: JsonObject) -> str:
    """B minus A."""
    return signed(row, row["difference"]) + points_of(row)


def could_have_seen(row: JsonObject) -> str:
    """The smallest true difference that so many pairs would have shown four times in five."""
    return amount(row, row["mde"]).removesuffix(" %") + points_of(row)


def ratio(row: JsonObject) -> str:
    """B over A."""
    return words.NOTHING if row["ratio"] is None else f"×{row['ratio']:.3f}"


def relative(row: JsonObject) -> str:
    """How large the difference is, over its interval: points of a share, else a ratio; empty: no such figure."""
    if row["metric"] in _SHARES:
        return "" if row["difference"] is None else f"{difference(row)}\n{interval(row)}"
    if row["ratio"] is None:
        return ""
    low, high = ("?" if row[name] is None else f"{row[name]:.2f}" for name in ("ratio_low", "ratio_high"))
    return f"×{row['ratio']:.2f}\n[{low}–{high}]"


def interval(row: JsonObject) -> str:
    """The bounds of a difference."""
    if row["low"] is None or row["high"] is None:
        return "n too small"
    return f"[{signed(row, row['low'])}, {signed(row, row['high'])}]"


def p_value(value: float | None) -> str:
    """A p, never rounded to 0."""
    if value is None:
        return words.NOTHING
    return "under 0.0001" if value < 0.0001 else f"{value:.4f}"


def pairs(group: JsonObject) -> Iterator[str]:
    """How many pairs there were, and which were left out."""
    counts = group["counts"]
    failed = [
        f"{counts[key]} failed on {who}"
        for key, who in (
            ("failed_on_a_alone", "A alone"),
            ("failed_on_b_alone", "B alone"),
            ("failed_on_both", "both"),
        )
        if counts[key]
    ]
    without = f"; {', '.join(failed)}, and have no times" if failed else ""
    yield f"{counts['pairs']} requests asked of both, {counts['answered_by_both']} answered by both{without}."
    if group["dropped"]:
        yield f"Left out: {', '.join(f'{n} {why}' for why, n in group['dropped'].items())}."
    if group["no_times"]:
        yield f"Times are not compared: {group['no_times']}."
    if group["withheld"]:
        yield f"No verdict on quality: {group['withheld']}."


def timing(group: JsonObject, pair: JsonObject) -> Iterator[str]:
    """Whether both were asked at the same time, without which the difference holds whatever changed meanwhile."""
    when = group["timing"]
    apart = f"a median of {_span(when['apart_s'])} between the two of a pair"
    if when["interleaved"]:
        yield f"Interleaved in time: {apart}."
    elif pair["same_run"]:
        order = "A, then B" if when["first"] == "A" else "B, then A"
        hint = "; harness load --paired asks both at the same time" if group["kind"] == "load" else ""
        yield f"Not interleaved: first {order}, {apart}: what changed meanwhile is in the difference{hint}."
    else:
        yield f"Not interleaved: two runs, {apart}: what changed meanwhile is in the difference."


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
