"""Nightly regression: a suite, the gate that judges it, and an exit code; a cron job or a CI step calls this."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import harness

HERE = Path(__file__).parent
SUITE = str(HERE / "nightly.yaml")


async def main() -> int:
    """0: everything holds; 1: something is worse; 4: that could not be told."""
    plan = harness.plan.suite(SUITE, providers=HERE / "providers.yaml")
    run = await harness.run(plan, max_requests=200, max_duration=600)
    verdict = run.gate(suite=SUITE)
    for case in verdict["cases"]:
        print(f"{case['verdict']:<13} {case['endpoint']} {case['workload']} {case['metric']}")
    print(run, "is judged", verdict["verdict"])
    run.write("night.xml")
    return int(verdict["exit_code"])


sys.exit(asyncio.run(main()))
