"""Choose a vendor: the same questions and the same load to all, the present one first, and what another one adds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import harness

HERE = Path(__file__).parent
VENDORS = ["vendor-a/small", "vendor-b/small"]


async def main() -> None:
    """Ask, measure, compare, and write one page that can be sent."""
    asked = harness.plan.eval("arithmetic:40", endpoints=VENDORS, providers=HERE / "providers.yaml")
    loaded = harness.plan.load(
        "short_chat", endpoints=VENDORS, concurrency=4, requests=16, providers=HERE / "providers.yaml"
    )
    print(asked, "for at most", asked.forecast()["cost_ceiling_usd"], "USD")
    quality = await harness.run(asked, max_cost=1.0)
    speed = await harness.run(loaded)
    print(quality.frame()[["endpoint", "quality_mean", "quality_n", "cost_usd"]])
    print(speed.frame("load_summary")[["endpoint", "n_ok", "ttft_p50_ms", "ttft_p95_ms", "output_tokens_per_s"]])
    (pair,) = harness.compare(*VENDORS, run=quality)["pairs"]
    for row in pair["groups"][0]["rows"]:
        if row["metric"] == "quality":
            interval = f"[{row['low']:+.2f}, {row['high']:+.2f}]"
            print(f"quality of {VENDORS[1]}: {row['difference']:+.2f} {interval}, {row['verdict']}")
    quality.write("report.html")


asyncio.run(main())
