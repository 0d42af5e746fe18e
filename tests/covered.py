"""Whether the lines that the tests reach are enough; branches are told beside them: `make coverage`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path


def told(totals: Mapping[str, int], least: float) -> tuple[bool, str]:
    """Whether at least so many per cent of the lines are covered, and the line that says so."""
    lines = 100 * totals["covered_lines"] / max(1, totals["num_statements"])
    branches = 100 * totals["covered_branches"] / max(1, totals["num_branches"])
    enough = lines >= least
    words = "" if enough else f": under {least:g} %"
    return enough, f"lines {lines:.1f} %, branches {branches:.1f} %{words}"


def main() -> int:
    """``covered.py FILE LEAST``: the file is coverage's JSON."""
    totals = json.loads(Path(sys.argv[1]).read_text("utf-8"))["totals"]
    enough, line = told(totals, float(sys.argv[2]))
    print(line)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
