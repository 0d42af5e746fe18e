"""The comparison of two endpoints in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.report import against_words, words
from harness.report.tables import plain_table
from harness.types import JsonObject

_WIDTH = 120


def show_compared(found: JsonObject, console: Console) -> None:
    """Print what ``harness.report.against`` found."""
    for pair in found["pairs"]:
        for name in ("a", "b"):
            side = pair[name]
            _line(console, f"{name.upper()}  {side['endpoint']}  run {side['run']}", "bold")
        for group in pair["groups"]:
            _group(group, pair, console)
        for refused in pair["not_compared"]:
            _line(console, f"not compared: {against_words.place(refused)}: {refused['why']}", "yellow")
        for line in pair["identities"]:
            _line(console, line)
    adjusted = f", adjusted for {found['family']} comparisons (Benjamini-Hochberg)" if found["family"] > 1 else ""
    _line(console, f"better, worse, more, fewer: the interval leaves out 0, and p is at most 0.05{adjusted}.", "dim")
    _line(console, "Times: median of the pairs' differences. Tokens, cost: their mean. In [ ]: 95 % intervals.", "dim")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(words.plain(text), style=style), width=min(console.width, _WIDTH))


def _group(group: JsonObject, pair: JsonObject, console: Console) -> None:
    columns = ("B − A", "n", "A", "B", "difference", "interval", "ratio", "p", "adjusted", "could have seen", "verdict")
    title = f"\n{against_words.place(group)}: B − A by {group['unit']}"
    console.print(plain_table(title, 1, columns, (_cells(row) for row in group["rows"]), close=True))
    for line in (*against_words.pairs(group), *against_words.timing(group, pair)):
        _line(console, line, "dim")


def _cells(row: JsonObject) -> tuple[str, ...]:
    return (
        against_words.metric(row),
        str(row["n"]),
        against_words.amount(row, row["a"]),
        against_words.amount(row, row["b"]),
        against_words.difference(row),
        against_words.interval(row),
        against_words.ratio(row),
        against_words.p_value(row["p_value"]),
        against_words.p_value(row["p_adjusted"]),
        against_words.could_have_seen(row),
        row["verdict"],
    )
