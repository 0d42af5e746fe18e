"""The results as one table in Markdown, put between the markers of a document."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

Figures = dict[str, float]
Figure = Callable[[Figures, Figures | None], float | None]
"""A cell of one run: from the run's own figures and those of the tool's start (None: it has none)."""
Row = tuple[str, str, Figure]
"""Work, words, and the figure."""


class Column(Protocol):
    """A tool, as far as a table is concerned."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Sheet:
    """What a table shows of the works: their heads in words, their rows, and notes below."""

    requests: Mapping[str, int]
    """Of each work in full."""
    heads: Mapping[str, str]
    rows: Sequence[Row]
    notes: Callable[[dict[str, Any], Sequence[Any]], list[str]]
    """What a figure alone would hide, beside the reasons of those that are missing."""
    inside: Mapping[str, str] = field(default_factory=dict)
    """Tools that have no column of their own -> whose column they share."""


def of(name: str) -> Figure:
    """The figure of that name, as the run has it."""
    return lambda run, _: run.get(name)


def net(name: str, scale: float, per: str) -> Figure:
    """What one of ``per`` costs beyond the tool's own start, times ``scale``."""

    def figure(run: Figures, start: Figures | None) -> float | None:
        return None if start is None else (run[name] - start[name]) / run[per] * scale

    return figure


def machine() -> dict[str, str]:
    """What it was measured on."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": models[0] if models else platform.processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def render(results: dict[str, Any], tools: Sequence[Column], sheet: Sheet) -> str:
    """``results`` as ``turns.py`` keeps them: what was measured on, and the figures or reasons of each run."""
    on, runs = results["machine"], results["runs"]
    shown = [tool for tool in tools if any(run["tool"] == tool.name for run in runs)]
    shown = [tool for tool in shown if tool.name not in sheet.inside] or shown
    where = f"{on['cpu']}, {on['cores']} cores shared by client and server, Linux {on['kernel']}, Python {on['python']}"
    lines = [
        f"Measured on {on['date']}: {where}, server `{on.get('server', 'none')}`.",
        "Medians of as many runs as the head says (least to most).",
        "",
        "| | | " + " | ".join(_head(runs, tool, sheet) for tool in shown) + " |",
        "|---|---|" + "---:|" * len(shown),
    ]
    last = ""
    for row in sheet.rows:
        cells = [_cell(runs, row, _names(tool, sheet)) for tool in shown]
        if any(cells):
            head, last = "" if row[0] == last else sheet.heads[row[0]], row[0]
            lines.append(f"| {head} | {row[1]} | " + " | ".join(cell or "–" for cell in cells) + " |")
    reasons = {(run["tool"], run["work"]): run["reason"] for run in runs if "reason" in run}
    notes = [f"- {name}: {reason}" for name, reason in results["absent"].items()]
    notes += sheet.notes(results, shown)
    notes += [f"- {tool}, {work}: {reason}" for (tool, work), reason in sorted(reasons.items())]
    return "\n".join([*lines, "", *notes])


def write(document: Path, text: str) -> None:
    """Replace what stands between the markers."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{document} has no {BEGIN} … {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _head(runs: list[dict[str, Any]], tool: Column, sheet: Sheet) -> str:
    """The tool, and how often it was run and with how much of the work."""
    mine = [run for run in runs if run["tool"] in _names(tool, sheet)]
    most = max((sum(run["work"] == work for run in mine) for work in sheet.requests), default=0)
    less = any(run["requests"] < sheet.requests[run["work"]] for run in mine)
    return f"{tool.name} {tool.version}, {most} run{'' if most == 1 else 's'}" + (" of a tenth" if less else "")


def _names(tool: Column, sheet: Sheet) -> list[str]:
    return [tool.name, *(name for name, host in sheet.inside.items() if host == tool.name)]


def _cell(runs: list[dict[str, Any]], row: Row, names: Sequence[str]) -> str:
    work, _, figure = row
    start = _start(runs, names[0])
    mine = [run["figures"] for run in runs if run["tool"] in names and run["work"] == work and "figures" in run]
    values = [value for run in mine if (value := figure(run, start)) is not None]
    if not values:
        return ""
    middle, low, high = (_number(value) for value in (statistics.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def _start(runs: list[dict[str, Any]], name: str) -> Figures | None:
    """What a tool's start costs, medians; None: not measured."""
    mine = [run["figures"] for run in runs if run["tool"] == name and run["work"] == "start" and "figures" in run]
    return {key: statistics.median(run[key] for run in mine) for key in ("cpu_s", "wall_s")} if mine else None


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
