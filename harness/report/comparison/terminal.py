"""The comparison of two endpoints in the terminal."""

from __future__ import annotations

from rich.console import Console

from harness.report.comparison.parts import pair_parts, rules
from harness.report.document import Grid
from harness.report.tables import drawn, written
from harness.types import JsonObject

_WIDTH = 120


def show_compared(found: JsonObject, console: Console) -> None:
    """Print what ``harness.report.comparison.figures`` found."""
    for block in (*(block for pair in found["pairs"] for block in pair_parts(pair)), *rules(found)):
        if isinstance(block, Grid):
            console.print(drawn(block, close=True))
        else:
            console.print(written(block), width=min(console.width, _WIDTH))
