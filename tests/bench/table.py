"""The results as one table in Markdown, put between the markers of a document."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools import Tool
from works import HEADS, ROWS, WORKS, Figures, Row

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


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


def render(results: dict[str, Any], tools: Sequence[Tool]) -> str:
    """``results`` as ``run.py`` keeps them: what was measured on, and the figures or reasons of each run."""
    on = results["machine"]
    shown = [tool for tool in tools if any(run["tool"] == tool.name for run in results["runs"])]
    shown = [tool for tool in shown if not tool.named_only] or shown
    where = f"{on['cpu']}, {on['cores']} cores shared by client and server, Linux {on['kernel']}, Python {on['python']}"
    lines = [
        f"Measured on {on['date']}: {where}, server `{on.get('server', 'none')}`.",
        "Medians of as many runs as the head says (least to most).",
        "",
        "| | | " + " | ".join(_head(results["runs"], tool) for tool in shown) + " |",
        "|---|---|" + "---:|" * len(shown),
    ]
    last = ""
    for row in ROWS:
        cells = [_cell(results["runs"], row, _names(tool)) for tool in shown]
        if any(cells):
            head, last = "" if row[0] == last else HEADS[row[0]], row[0]
            lines.append(f"| {head} | {row[1]} | " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join([*lines, "", *_notes(results, shown)])


def write(document: Path, text: str) -> None:
    """Replace what stands between the markers."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{document} has no {BEGIN} … {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _head(runs: list[dict[str, Any]], tool: Tool) -> str:
    """The tool, and how often it was run and with how much of the work."""
    mine = [run for run in runs if run["tool"] in _names(tool)]
    most = max((sum(run["work"] == work.name for run in mine) for work in WORKS), default=0)
    full = {work.name: work.requests for work in WORKS}
    less = any(run["requests"] < full[run["work"]] for run in mine)
    return f"{tool.name} {tool.version}, {most} run{'' if most == 1 else 's'}" + (" of a tenth" if less else "")


def _names(tool: Tool) -> tuple[str, ...]:
    """Our two entries share a column: the wire does only works that are its own."""
    return ("ours", "ours (wire)") if tool.name == "ours" else (tool.name,)


def _cell(runs: list[dict[str, Any]], row: Row, names: tuple[str, ...]) -> str:
    work, _, figure = row
    start = _median_of(runs, names[:1])
    mine = [run["figures"] for run in runs if run["tool"] in names and run["work"] == work and "figures" in run]
    values = [value for run in mine if (value := figure(run, start)) is not None]
    if not values:
        return ""
    middle, low, high = (_number(value) for value in (statistics.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def _median_of(runs: list[dict[str, Any]], names: tuple[str, ...]) -> Figures | None:
    """What a tool's start costs; None: not measured."""
    cpu = [
        run["figures"]["cpu_s"] for run in runs if run["tool"] in names and run["work"] == "start" and "figures" in run
    ]
    return {"cpu_s": statistics.median(cpu)} if cpu else None


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _notes(results: dict[str, Any], tools: Sequence[Tool]) -> list[str]:
    """What a figure alone would hide: reasons for a missing one, and answers that are missing."""
    notes = [f"- {name}: {reason}" for name, reason in results["absent"].items()]
    told: dict[tuple[str, str], str] = {}
    for run in results["runs"]:
        key = run["tool"], run["work"]
        if "reason" in run:
            told[key] = f"- {key[0]}, {key[1]}: {run['reason']}"
        elif run["figures"]["n_ok"] != run["requests"] and "bad" not in run["figures"]:
            found = run["figures"]
            seen = f"the server saw {found['n_seen']:,.0f}"
            told[key] = f"- {key[0]}, {key[1]}: {found['n_ok']:,.0f} of {run['requests']:,} told as answered; {seen}"
    if any("itl_mean_p99_error_ms" in run.get("figures", {}) for run in results["runs"]):
        notes.append("- guidellm's ITL is a mean per request; it is held against the same mean of the truth.")
    notes += [f"- {tool.name} sends at Poisson times only, so it has no slip." for tool in tools if not tool.even]
    return notes + sorted(told.values())
