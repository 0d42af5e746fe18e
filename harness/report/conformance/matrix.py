"""The conformance matrix as text: probes as rows, endpoints as columns, readable without colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import words
from harness.report.conformance.figures import differs, surfaces
from harness.types import JsonObject

LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "supported": "S ●",
        "partial": "P ◐",
        "ignored": "I ⊘",
        "rejected": "R ○",
        "broken": "B ✕",
        "untestable": "U ?",
        "skipped": "K ·",
    }
)
"""A letter and a sign for each verdict."""
_STYLES = {"supported": "green", "partial": "yellow", "ignored": "magenta", "rejected": "cyan", "broken": "bold red"}
LEGEND = "S supported · P partial · I ignored silently · R rejected · B broken · U untestable · K skipped"
HEADS = ("grade", "support", "honesty", "broken", "evidence")
"""Of what ``heads`` says of an endpoint."""


def show(found: JsonObject, console: Console, *, only_differences: bool = False, whole: bool = False) -> None:
    """Print the matrix: heads, a line for each surface, and below it the probes that are worth a look.

    Those are the ones that some endpoint does not support; with ``only_differences`` those on which endpoints differ,
    with ``whole`` all of them.
    """
    names = [row["endpoint"] for row in found["endpoints"]]
    run = found["run"]
    console.print(Text(words.plain(f"conformance ({run['profile']})  run {run['id']}"), style="bold"))
    console.print(_heads(found["endpoints"]))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("probe", overflow="fold")
    table.add_column("severity")
    for name in names:
        table.add_column(words.plain(name), overflow="fold")
    for surface, probes in surfaces(found):
        table.add_row(Text(surface, style="bold"), "", *(Text(tally(probes, name), style="bold") for name in names))
        for row in worth_a_look(probes, only_differences=only_differences, whole=whole):
            table.add_row(f"  {row['probe']}", row["severity"], *(_cell(row["cells"].get(name)) for name in names))
    console.print(table)
    console.print(Text(LEGEND, style="dim"), soft_wrap=True)
    for line in (*mute_lines(found), *declared_lines(found)):
        console.print(Text(line), soft_wrap=True)


def with_sign(verdict: str) -> str:
    """A verdict and its sign: ``✕ broken``; one that is not known here as it is."""
    return f"{LETTERS[verdict][2:]} {verdict}" if verdict in LETTERS else verdict


def worth_a_look(probes: Iterable[JsonObject], *, only_differences: bool, whole: bool) -> Iterator[JsonObject]:
    """The rows that are shown."""
    for row in probes:
        good = all(cell["verdict"] in ("supported", "skipped") for cell in row["cells"].values())
        if whole or (differs(row) if only_differences else not good):
            yield row


def tally(probes: Iterable[JsonObject], endpoint: str) -> str:
    """How many probes of a surface have which verdict: ``12 S  1 B``."""
    said = Counter(row["cells"][endpoint]["verdict"] for row in probes if endpoint in row["cells"])
    return "  ".join(f"{said[word]} {letter[0]}" for word, letter in LETTERS.items() if said[word]) or words.NOTHING


def heads(row: JsonObject) -> tuple[str, ...]:
    """Grade, support, honesty, broken and evidence of an endpoint, in words."""
    support, broken = row.get("support"), row.get("broken_n")
    told = "" if not broken else f" ({row['broken_core_n']} core)"
    return (
        row.get("grade") or words.NOTHING,
        words.NOTHING if support is None else f"{support:.1f} %",
        words.percent(row.get("honesty")),
        words.NOTHING if broken is None else f"{broken}{told}",
        f"{words.percent(row.get('evidence'))} of {row.get('probes_n') or 0}",
    )


def of_surface(row: JsonObject | None) -> str:
    """Support of one surface in words, ``86 % of 14, 1 broken``; None: it was not probed."""
    if row is None:
        return words.NOTHING
    told = [f"{row['support']:.0f} % of {row['support_n']}"] if row["support"] is not None else []
    told += [f"{row[f'{word}_n']} {word}" for word in ("broken", "ignored") if row[f"{word}_n"]]
    return ", ".join(told) or f"none of {row['probes_n']} judged"


def mute_lines(found: JsonObject) -> list[str]:
    """Of endpoints that answer no plain chat: that nearly nothing could be judged, and why."""
    chats: JsonObject = next((row["cells"] for row in found["probes"] if row["probe"] == "chat.basic"), {})
    return [
        f"! {name} answers no chat, so that nearly nothing could be judged: {words.plain(why(cell)).rstrip('.')}. "
        "See harness providers check"
        for name, cell in chats.items()
        if cell["verdict"] not in ("supported", "partial")
    ]


def declared_lines(found: JsonObject) -> list[str]:
    """Where a provider's own words and the measurement differ, a line each."""
    return [
        f"! {row['endpoint']} says of {row['probe']}: {row['declared']}; measured: {row['measured']}"
        + (f" ({words.plain(row['source'])})" if row["source"] else "")
        for row in found["declared"]
    ]


def markdown(found: JsonObject, *, only_differences: bool = False, whole: bool = True) -> str:
    """The same as Markdown, with a table for each surface and the reasons below the matrix."""
    names = [row["endpoint"] for row in found["endpoints"]]
    lines = [_line("endpoint", *HEADS), _rule(1 + len(HEADS))]
    lines += [_line(row["endpoint"], *heads(row)) for row in found["endpoints"]]
    lines += ["", LEGEND]
    for surface, probes in surfaces(found):
        lines += ["", f"### {surface}", "", _line("probe", "severity", *names), _rule(2 + len(names))]
        lines.append(_line("**all**", "", *(tally(probes, name) for name in names)))
        for row in worth_a_look(probes, only_differences=only_differences, whole=whole):
            letters = (LETTERS[cell["verdict"]] if (cell := row["cells"].get(name)) else "" for name in names)
            lines.append(_line(f"`{row['probe']}`", row["severity"], *letters))
    lines += ["", "### Reasons", "", _line("probe", "endpoint", "verdict", "why"), _rule(4)]
    for row in found["probes"]:
        for name, cell in row["cells"].items():
            if cell["verdict"] not in ("supported", "skipped"):
                lines.append(_line(f"`{row['probe']}`", name, cell["verdict"], why(cell)))
    said = declared_lines(found)
    lines += ["", "### Declared and measured", "", *(f"- {line.removeprefix('! ')}" for line in said)] if said else []
    return "\n".join(lines) + "\n"


def why(cell: JsonObject) -> str:
    """The reason of a verdict, with what was expected and what came where it says so."""
    told = [str(cell["reason"])]
    if cell.get("expected"):
        told.append(f"expected {cell['expected']}")
    if cell.get("actual"):
        told.append(f"came {cell['actual']}")
    return "; ".join(told)


def _heads(endpoints: Iterable[JsonObject]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("endpoint", overflow="fold")
    for name in HEADS:
        table.add_column(name, justify="right")
    for row in endpoints:
        table.add_row(Text(words.plain(row["endpoint"])), *heads(row))
    return table


def _cell(cell: JsonObject | None) -> Text:
    if cell is None:
        return Text(words.NOTHING)
    verdict = cell["verdict"]
    told = "" if verdict in ("supported", "skipped") else f" {words.plain(cell['reason'])}"
    told += f": {words.plain(cell['actual'])}" if verdict == "rejected" else ""
    return Text(f"{LETTERS[verdict]}{told}", style=_STYLES.get(verdict, "dim"))


def _line(*cells: str) -> str:
    """A row of a Markdown table; what others wrote can neither end a cell nor become markup."""
    return "| " + " | ".join(_safe(cell) for cell in cells) + " |"


def _safe(cell: str) -> str:
    text = words.plain(" ".join(cell.split())).replace("|", "\\|")
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
