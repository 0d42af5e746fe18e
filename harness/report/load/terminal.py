"""The load report in the terminal: its first line says whether the rest can be believed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from harness.report import words
from harness.report.document import Grid, Note
from harness.report.load import parts as load_parts
from harness.report.tables import drawn, written
from harness.types import JsonObject

_WIDTH = 120
_STYLES = {"valid": "bold green", "contaminated": "bold red", "client-limited": "bold red"}


def show_load(report: JsonObject, console: Console) -> None:
    """Print a report made by ``harness.report.load.figures``."""
    first, *others = load_parts.verdict(report)
    word = report["validity"]["word"] if report["validity"] else ""
    told = Text(words.plain(first.text), style=_STYLES.get(word, "bold"))
    console.print(told, width=min(console.width, _WIDTH))
    _show(others, console)
    run = report["run"]
    asked = words.asked_over(run)
    console.print(Text(words.plain(f"{run['suite']}  run {run['id']}  {run['status']}{asked}"), style="bold"))
    _show(load_parts.parts(report), console)


def _show(blocks: Iterable[Grid | Note], console: Console) -> None:
    for block in blocks:
        if isinstance(block, Grid):
            console.print(drawn(block, close=True))
        else:
            console.print(written(block), width=min(console.width, _WIDTH))
