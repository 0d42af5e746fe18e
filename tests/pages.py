"""The parts of the pages in docs/ that are made of the code; run as a program it writes them anew (`make pages`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from harness.catalog import discover
from harness.report import catalogue
from harness.simulator.faults import FAULTS
from harness.simulator.mutants import MUTANTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def table(title: str, rows: Mapping[str, str]) -> str:
    """A table of names and what they are."""
    return "\n".join([f"| {title} | is |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows.items())])


def parts() -> dict[tuple[str, str], str]:
    """By page and mark: what stands between the two comments."""
    probes = tuple(discover([ROOT / "tasks"]).probes.values())
    return {
        ("conformance.md", "probes"): catalogue.markdown(probes),
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
