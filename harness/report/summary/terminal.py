"""The comparison in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.report import words
from harness.report.document import Grid
from harness.report.summary import parts as summary_parts
from harness.report.tables import drawn, written
from harness.types import JsonObject

_PIPED_WIDTH = 200
"""Columns where nobody watches: a table in a file or a pipe is not folded to a screen."""


def console(*, stderr: bool = False) -> Console:
    """The terminal as it is, or a wide page where the output goes elsewhere."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_PIPED_WIDTH)


def show(summary: JsonObject, console: Console) -> None:
    """Print the tables of a summary made by ``harness.report.summary.figures``."""
    run = summary["run"]
    asked = words.asked_over(run)
    console.print(Text(words.plain(f"{run['suite']}  run {run['id']}  {run['status']}{asked}"), style="bold"))
    for told in (
        summary_parts.endpoints,
        summary_parts.answers,
        summary_parts.loads,
        summary_parts.against_the_first,
        summary_parts.faults,
    ):
        for block in told(summary):
            if isinstance(block, Grid):
                console.print(drawn(block))
            else:
                console.print(written(block), soft_wrap=True)
