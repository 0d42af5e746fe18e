"""What the comparison of two endpoints shows, in its order: the same for the terminal, HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.comparison import words as against_words
from harness.report.document import Grid, Note, grid
from harness.types import JsonObject

_COLUMNS = ("B − A", "n", "A", "B", "difference", "interval", "ratio", "p", "adjusted", "could have seen", "verdict")


def pair_parts(pair: JsonObject) -> Iterator[Grid | Note]:
    """One pair of endpoints, of those that ``harness.report.comparison.figures`` found."""
    for name in ("a", "b"):
        side = pair[name]
        yield Note(f"{name.upper()}  {side['endpoint']}  run {side['run']}", "strong")
    for group in pair["groups"]:
        title = f"{against_words.place(group)}: B − A by {group['unit']}"
        yield grid(title, 1, _COLUMNS, (_cells(row) for row in group["rows"]))
        for line in (*against_words.pairs(group), *against_words.timing(group, pair)):
            yield Note(line, "quiet")
    for refused in pair["not_compared"]:
        yield Note(f"not compared: {against_words.place(refused)}: {refused['why']}", "warning")
    for line in pair["identities"]:
        yield Note(line)


def rules(found: JsonObject) -> Iterator[Note]:
    """How the verdicts came about."""
    adjusted = f", adjusted for {found['family']} comparisons (Benjamini-Hochberg)" if found["family"] > 1 else ""
    yield Note(f"better, worse, more, fewer: the interval leaves out 0, and p is at most 0.05{adjusted}.", "quiet")
    yield Note("Times: median of the pairs' differences. Tokens, cost: their mean. In [ ]: 95 % intervals.", "quiet")


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
