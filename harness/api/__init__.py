"""What the commands do, from a script or a notebook: plan, run, and look at what came of it.

``harness`` itself offers these names and imports this package when one of them is used.
"""

from __future__ import annotations

from harness.api import plan
from harness.api.look import check_endpoints, compare, known, open_run, providers, results, runs, trend
from harness.api.planned import Planned
from harness.api.ran import Run
from harness.api.sit import resume, run

__all__ = [
    "Planned",
    "Run",
    "check_endpoints",
    "compare",
    "known",
    "open_run",
    "plan",
    "providers",
    "results",
    "resume",
    "run",
    "runs",
    "trend",
]
