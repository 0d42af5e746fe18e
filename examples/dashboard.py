"""Stakeholder dashboard: measure, then show it in the browser; `--prepare` measures and writes pages, no more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import harness

HERE = Path(__file__).parent
VENDORS = ["vendor-a/small", "vendor-b/small"]


async def main() -> None:
    """Fill the results folder that the dashboard shows, and write the same as one file that can be sent."""
    plans = [
        harness.plan.eval("arithmetic:20", "logic:10", endpoints=VENDORS, providers=HERE / "providers.yaml"),
        harness.plan.probe("smoke", endpoints=VENDORS, providers=HERE / "providers.yaml"),
    ]
    for plan in plans:
        run = await harness.run(plan)
        run.write(f"{run.manifest['selection']['suite']}.html")
    print(harness.runs()[["run_id", "status", "planned"]])


asyncio.run(main())
if "--prepare" not in sys.argv:
    subprocess.run([sys.executable, "-m", "harness", "dashboard"], check=True)
