"""What ``harness demo`` runs: a little of everything, in about a minute on two cores."""

from __future__ import annotations

from harness.types import Suite

SUITE = Suite(
    name="demo",
    description="Twenty sums, ten tool requests, the smoke probes and a short load.",
    tasks=("arithmetic:20", "assistant:10"),
    probes="smoke",
    loads=("short_chat",),
)
