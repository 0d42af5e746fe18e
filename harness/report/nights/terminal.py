"""Series of nightly figures in the terminal: a line of bars, the level, and what changed when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from harness.report import words
from harness.report.nights.trend import Change, Point, Series

_WIDTH = 120
_BARS = "▁▂▃▄▅▆▇█"
_NO_BAR = "·"
_MOST_BARS = 90
_MOST_PROBLEMS = 5


def show_trend(found: Sequence[Series], console: Console) -> None:
    """Print the series, one after the other, and what their words mean."""
    for series in found:
        _line(console, _head(series), "bold")
        _line(console, f"  {_bars(series.points)}")
        for text, style in _told(series):
            _line(console, f"  {text}", style)
        console.print()
    changed = sum(len(series.changes) for series in found)
    _line(
        console, f"{_counted(len(found), 'series')}, {_counted(changed, 'change point')}; nothing is blocked by them."
    )
    _line(console, f"{_NO_BAR} in a row of bars: a run without a value that counts. In [ ]: 95 % intervals.", "dim")


def value_in(unit: str, value: float | None) -> str:
    """A figure in its unit: a share or a score as a percentage, a cost in dollars, else four digits."""
    if value is None:
        return words.NOTHING
    if unit in ("share", "score"):
        return f"{100 * value:.3g} %"
    if unit == "USD":
        return f"{words.cost(value)} USD"
    return f"{value:.4g} {unit}"


def interval_in(unit: str, low: float | None, high: float | None) -> str:
    """An interval, its unit told once: ``118–125 ms``; a bound that is not known is a question mark."""
    begin = "?" if low is None else value_in(unit, low).removesuffix(f" {unit}").removesuffix(" %")
    return f"{begin}–{'?' if high is None else value_in(unit, high)}"


def size_of(series: Series, change: Change) -> str:
    """By how much: ``×1.20 [1.17–1.23]``, or ``+3.1 points [+2.0–+4.2]``."""
    if series.scale == "ratio":
        return f"×{change.size:.3g} [{change.low:.3g}–{change.high:.3g}]"
    size, low, high = (f"{100 * value:+.2g}" for value in (change.size, change.low, change.high))
    return f"{size} points [{low}–{high}]"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(words.plain(text), style=style), width=min(console.width, _WIDTH))


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 or noun == 'series' else 's'}"


def _head(series: Series) -> str:
    first, last = series.points[0].at, series.points[-1].at
    counted = sum(point.problem is None for point in series.points)
    when = _day(first) if _day(first) == _day(last) else f"{_day(first)} to {_day(last)}"
    return f"{series.title} · {series.place} · {series.endpoint}   {_counted(counted, 'night')}, {when}"


def _bars(points: Sequence[Point]) -> str:
    """A bar a run, between the least and the largest value."""
    shown = points[-_MOST_BARS:]
    values = [point.value for point in shown if point.value is not None and math.isfinite(point.value)]
    if not values:
        return _NO_BAR * len(shown)
    low, high = min(values), max(values)
    return "".join(_bar(point, low, high) for point in shown)


def _bar(point: Point, low: float, high: float) -> str:
    if point.problem is not None or point.value is None or not math.isfinite(point.value):
        return _NO_BAR
    place = 0.5 if high == low else (point.value - low) / (high - low)
    return _BARS[round(place * (len(_BARS) - 1))]


def _told(series: Series) -> Iterator[tuple[str, str]]:
    """Lines and their styles."""
    if series.differs:
        yield f"a new series, not comparable with the one before: {'; '.join(series.differs)}", "yellow"
    yield _latest(series), ""
    for change in series.changes:
        yield _changed(series, change), "red" if change.worse else "green"
    for gap in series.gaps:
        missing = f"{_counted(gap.nights, 'night')} without a run of this series"
        yield f"gap     {_day(gap.after)} to {_day(gap.before)}: {missing}", "yellow"
    problems = [point for point in series.points if point.problem is not None]
    for point in problems[-_MOST_PROBLEMS:]:
        yield f"left out {_day(point.at)}, {point.run_id}: {point.problem}", "yellow"
    if len(problems) > _MOST_PROBLEMS:
        yield f"left out {len(problems) - _MOST_PROBLEMS} earlier runs", "yellow"


def _latest(series: Series) -> str:
    told = [point for point in series.points if point.problem is None]
    if not told:
        return "no run counts"
    latest = told[-1]
    bounds = (
        ""
        if latest.low is None or latest.high is None
        else f" [{_bare(series, latest.low)}–{_bare(series, latest.high)}]"
    )
    parts = [f"latest {value_in(series.unit, latest.value)}{bounds} n={latest.n}"]
    if series.segments:
        level = series.segments[-1]
        parts.append(f"level {value_in(series.unit, level.level)} of {_counted(level.nights, 'night')}")
    if series.expected_low is not None and series.expected_high is not None:
        low, high = _bare(series, series.expected_low), value_in(series.unit, series.expected_high)
        parts.append(f"next expected between {low} and {high}")
    return "; ".join(parts)


def _bare(series: Series, value: float) -> str:
    """Without its unit."""
    return value_in(series.unit, value).removesuffix(f" {series.unit}").removesuffix(" %")


def _changed(series: Series, change: Change) -> str:
    word = "worse" if change.worse else "better"
    before, after = _bare(series, change.before), value_in(series.unit, change.after)
    since = _day(change.at) if _day(change.at) != _day(change.last_at_before) else change.at[:16].replace("T", " ")
    return (
        f"{word:<7} since {since}: {size_of(series, change)}, {before} → {after}, confidence "
        f"{100 * change.confidence:.1f} %, {change.nights_before} nights before and {change.nights_after} after"
    )


def _day(moment: str) -> str:
    return moment[:10]
