"""A judgement in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.gates.judgement import Case, Judgement, suites
from harness.report import words
from harness.report.document import grid
from harness.report.tables import drawn

_COLUMNS = ("verdict", "metric", "rule", "found", "p adjusted", "n", "could have seen")
_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "error": "bold magenta"}


def show(found: Judgement, console: Console) -> None:
    """Print a table for each endpoint and piece of work, why things are as they are, and the verdict."""
    for (endpoint, workload), cases in suites(found.cases).items():
        title = f"{endpoint}  {workload}" if endpoint else workload
        console.print(drawn(grid(title, 4, _COLUMNS, map(_row, cases))))
        for case in cases:
            if case.verdict != "pass" or case.accepted is not None:
                _line(console, f"  {case.metric}: {case.reason}")
                if case.next:
                    _line(console, f"    {case.next}", style="dim")
    for warning in found.warnings:
        _line(console, f"! {warning}")
    counts = ", ".join(f"{n} {word}" for word, n in found.counts.items() if n) or "nothing was tested"
    told = f"\nGate {found.file}: {found.verdict} ({counts}), run {found.run}"
    told += f", confirmed by {found.confirmed_by}" if found.confirmed_by else ""
    _line(console, told, style=_STYLES[found.verdict])


def _row(case: Case) -> tuple[str, ...]:
    told = case.verdict if case.accepted is None else f"{case.verdict} (accepted)"
    n = words.NOTHING if case.n is None else f"{case.n} {case.counted}".strip()
    p = words.NOTHING if case.p_adjusted is None else _p(case.p_adjusted)
    return told, case.metric, case.rule, case.found, p, n, case.could_have_seen


def _p(value: float) -> str:
    return "under 0.0001" if value < 0.0001 else f"{value:.4f}"


def _line(console: Console, text: str, *, style: str = "") -> None:
    console.print(Text(words.plain(text), style=style), soft_wrap=True)
