"""The parts of the pages in docs/ that are made of the code; run as a program it writes them anew (`make pages`)."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pages_providers
import pages_reference

from harness.catalog import Catalog, discover
from harness.report.conformance import catalogue
from harness.simulator.deviations.faults import FAULTS
from harness.simulator.deviations.mutants import MUTANTS
from harness.simulator.dialects import names
from harness.simulator.dialects.file import dialect_of
from harness.types import Task

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def table(title: str, rows: Mapping[str, str]) -> str:
    """A table of names and what they are."""
    return "\n".join([f"| {title} | is |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows.items())])


def tasks(shipped: Catalog) -> str:
    """A table of the tasks by kind: what each is, how it is scored, where its data are from, what may replace them."""
    lines = []
    for kind in ("quality", "tools"):
        lines += [f"## {kind.capitalize()}\n", "| task | is | n | scorer | source | licence | `--data` |"]
        lines += ["|---|---|---|---|---|---|---|"]
        files: dict[Path, list[Task]] = {}
        for task in shipped.tasks.values():
            if task.kind == kind:
                files.setdefault(shipped.files["task", task.name], []).append(task)
        lines += ["| " + " | ".join(_cells(file, found)) + " |" for file, found in files.items()] + [""]
    return "\n".join(lines).rstrip().replace("<", "&lt;")


def _cells(file: Path, found: Sequence[Task]) -> tuple[str, ...]:
    """What the file of these tasks says in its first line and in the docstring of its loader."""
    task, names = found[0], ", ".join(f"`{one.name}`" for one in found)
    text = _first_line(ast.get_docstring(ast.parse(file.read_text("utf-8")))) or task.description
    told = re.search(r":.*?\b(\d[\d,]*)", text)
    n = f"{sum(1 for _ in task.load(None)):,}" if task.source.startswith("tasks/") else told[1] if told else "–"
    loader = getattr(task.load, "func", task.load)  # of a partial, what was written down
    needs = re.sub(r".*needs (the columns )?", "", _first_line(loader.__doc__).rpartition("; ")[2].rstrip("."))
    return (names, text, n, task.scorer.name, task.source, task.licence, needs)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def dialects() -> str:
    """A table of the dialects: where their paths begin, how they want the key, and what their lines rest on."""
    lines = ["| dialect | of | paths | key | documented | observed | unverified | recorded |", "|---" * 8 + "|"]
    for name in names():
        spoken = dialect_of(name)
        kinds = [source.kind for source in spoken.sources.values()]
        key = {"header": f"`{spoken.auth.header}`", "none": "none"}.get(spoken.auth.kind, "bearer")
        paths = " ".join(f"`{prefix or '/'}`" for prefix in spoken.path.prefix)
        counts = (str(kinds.count(kind)) for kind in ("documented", "observed", "unverified"))
        cells = (f"`{name}`", spoken.title, paths, key, *counts, str(len(spoken.recorded)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parts() -> dict[tuple[str, str], str]:
    """By page and mark: what stands between the two comments."""
    shipped = discover([ROOT / "tasks"])
    probes = tuple(shipped.probes.values())
    return {
        ("providers.md", "presets"): pages_providers.page(),
        ("shipped-tasks.md", "tasks"): tasks(shipped),
        ("conformance.md", "probes"): catalogue.markdown(probes),
        ("cli.md", "commands"): pages_reference.commands(),
        ("exit-codes.md", "codes"): pages_reference.exit_codes(),
        ("schema.md", "schema"): pages_reference.schema(),
        ("decisions/index.md", "decisions"): pages_reference.decisions(DOCS),
        ("simulator.md", "dialects"): dialects(),
        ("simulator.md", "faults"): table("fault", FAULTS),
        ("simulator.md", "mutants"): table("mutant", MUTANTS),
    }


def renewed(text: str, mark: str, part: str) -> str:
    """The page with this part between its comments."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"the page lacks {begin} or {end}"
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"


def main() -> None:
    """Write every part into its page."""
    for (page, mark), part in parts().items():
        path = DOCS / page
        path.write_text(renewed(path.read_text("utf-8"), mark, part), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
