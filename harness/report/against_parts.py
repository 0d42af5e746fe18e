"""What the comparison of two endpoints shows, in its order: the same for the terminal, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import words
from harness.report.document import Grid, Note, grid
from harness.types import JsonObject

_NAMES = {
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
_SHARES = ("failures", "quality")


def pair_parts(pair: JsonObject) -> Iterator[Grid | Note]:
    """One pair of endpoints, of those that ``harness.report.against`` found."""
    for name in ("a", "b"):
        side = pair[name]
        yield Note(f"{name.upper()}  {side['endpoint']}  run {side['run']}", "strong")
    for group in pair["groups"]:
        yield from _group(group, pair)
    for refused in pair["not_compared"]:
        yield Note(f"not compared: {_place(refused)}: {refused['why']}", "warning")
    for line in pair["identities"]:
        yield Note(line)


def rules(found: JsonObject) -> Iterator[Note]:
    """How the verdicts came about."""
    adjusted = f", adjusted for {found['family']} comparisons (Benjamini-Hochberg)" if found["family"] > 1 else ""
    yield Note(f"better, worse, more, fewer: the interval leaves out 0, and p is at most 0.05{adjusted}.", "quiet")
    yield Note("Times: median of the pairs' differences. Tokens, cost: their mean. In [ ]: 95 % intervals.", "quiet")


def _place(group: JsonObject) -> str:
    stage: str = group["stage"]
    return stage.removeprefix("load.")


def _group(group: JsonObject, pair: JsonObject) -> Iterator[Grid | Note]:
    columns = ("B − A", "n", "A", "B", "difference", "interval", "ratio", "p", "adjusted", "could have seen", "verdict")
    yield grid(f"{_place(group)}: B − A by {group['unit']}", 1, columns, (_cells(row) for row in group["rows"]))
    for line in (*_pairs(group), *_time(group, pair)):
        yield Note(line, "quiet")


def _cells(row: JsonObject) -> tuple[str, ...]:
    unit = "" if row["metric"] in _SHARES or row["unit"] in ("tokens", "tokens/s") else f" {row['unit']}"
    return (
        f"{_NAMES[row['metric']]}{',' if unit else ''}{unit}",
        str(row["n"]),
        _amount(row, row["a"]),
        _amount(row, row["b"]),
        _signed(row, row["difference"]) + _points_of(row),
        _interval(row),
        words.NOTHING if row["ratio"] is None else f"×{row['ratio']:.3f}",
        _p(row["p_value"]),
        _p(row["p_adjusted"]),
        _amount(row, row["mde"]).removesuffix(" %") + _points_of(row),
        row["verdict"],
    )


def _amount(row: JsonObject, value: float | None) -> str:
    """A figure in its unit; a share as a percentage."""
    if value is None:
        return words.NOTHING
    if row["metric"] in _SHARES:
        return f"{100 * value:.1f} %"
    if row["metric"] == "cost_usd":
        return f"{value:.3g}"
    return f"{value:.{_digits(value)}f}"


def _signed(row: JsonObject, value: float | None) -> str:
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


def _points_of(row: JsonObject) -> str:
    return " points" if row["metric"] in _SHARES and row["n"] else ""


def _interval(row: JsonObject) -> str:
    if row["low"] is None or row["high"] is None:
        return "n too small"
    return f"[{_signed(row, row['low'])}, {_signed(row, row['high'])}]"


def _p(value: float | None) -> str:
    if value is None:
        return words.NOTHING
    return "under 0.0001" if value < 0.0001 else f"{value:.4f}"


def _pairs(group: JsonObject) -> Iterator[str]:
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


def _time(group: JsonObject, pair: JsonObject) -> Iterator[str]:
    """Whether both were asked at the same time, without which the difference holds whatever changed meanwhile."""
    timing = group["timing"]
    apart = f"a median of {_span(timing['apart_s'])} between the two of a pair"
    if timing["interleaved"]:
        yield f"Interleaved in time: {apart}."
    elif pair["same_run"]:
        order = "A, then B" if timing["first"] == "A" else "B, then A"
        hint = "; harness load --paired asks both at the same time" if group["kind"] == "load" else ""
        yield f"Not interleaved: first {order}, {apart}: what changed meanwhile is in the difference{hint}."
    else:
        yield f"Not interleaved: two runs, {apart}: what changed meanwhile is in the difference."


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
